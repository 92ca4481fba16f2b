"""PathTemplate -> regex, literal prefix and rank: how Envoy recognises a path, and which template wins.

Envoy matches on `:path`, which it has normalised (dot segments, backslashes, doubled slashes, needless escapes are gone,
escaped slashes are refused) and which still carries the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from xds.model import Location, Name, Operation, PathTemplate, Segment

QUERY = r"(?:\?.*)?"
"""What may follow a path in `:path`."""

VALUE = "[^/?;]+"
"""A segment's variable part. Without `;`: RFC 6570 escapes it in values, and `/..;/` is a way around a matcher upstream."""

MATRIX = ";[^/?]*"
"""A variable part of style `matrix` (RFC 6570, section 3.2.7)."""

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@")
"""Characters that stand for themselves in a path (RFC 3986, `pchar` without escapes)."""

_REGEX_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~!&',;=:@%")

Rank = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A template as the matcher uses it.

    `segments` are regexes, one a path segment; `prefix` is the text that every path of the template starts with, slashes
    included; `rank` orders templates that match one path: the smaller wins, since a literal segment beats a templated one
    and the leftmost difference decides (OpenAPI, Paths Object, path templating matching).
    """

    segments: tuple[str, ...]
    prefix: str
    rank: Rank

    @property
    def path(self) -> str:
        """The regex of the whole path, without the query."""
        return "".join(f"/{segment}" for segment in self.segments)


@lru_cache(maxsize=1 << 16)
def pattern_of(template: PathTemplate, matrix: frozenset[str] = frozenset()) -> Pattern:
    """The pattern of a template; `matrix` names the variables that are written in style `matrix`."""
    segments = tuple(_segment(segment, matrix) for segment in template.segments)
    rank = tuple(_rank(segment, text) for segment, text in zip(template.segments, segments, strict=True))
    return Pattern(segments, _prefix(template.segments), rank)


def matrix_names(operation: Operation) -> frozenset[str]:
    """The path parameters of an operation that are written in style `matrix`."""
    return frozenset(p.name for p in operation.parameters if p.location is Location.PATH and p.style == "matrix")


def literal(text: str) -> str:
    """The regex of a literal: every piece of text from a contract comes into a regex through here, and nowhere else.

    What a path cannot hold as it is has to come percent-encoded, in either case of hexadecimal digits.
    """
    return "".join(_plain(char) if char in _PLAIN else _encoded(char) for char in text)


def alternation(paths: Iterable[Sequence[str]]) -> str:
    """One regex for many paths, each a sequence of segment regexes; common beginnings are written once."""
    groups: dict[str, list[Sequence[str]]] = {}
    ends = False
    for path in paths:
        if path:
            groups.setdefault(path[0], []).append(path[1:])
        else:
            ends = True
    branches = [f"/{first}{alternation(rest)}" for first, rest in groups.items()]
    if not branches:
        return ""
    if len(branches) == 1 and not ends:
        return branches[0]
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}"


def may_start(pattern: Pattern, text: str) -> bool:
    """Whether some path that starts with `text` could match the pattern; true in doubt."""
    pieces = text.split("/")[1:]
    if len(pieces) > len(pattern.segments):
        return False
    *whole, last = pieces or [""]
    if not all(re.fullmatch(segment, piece) for segment, piece in zip(pattern.segments, whole, strict=False)):
        return False
    kind, _, plain = pattern.rank[len(whole)]
    return kind != 0 or plain.startswith(last)


def _segment(segment: Segment, matrix: frozenset[str]) -> str:
    return "".join(
        (MATRIX if part.name in matrix else VALUE) if isinstance(part, Name) else literal(part)
        for part in segment.parts
    )


def _rank(segment: Segment, text: str) -> tuple[int, int, str]:
    """Literal, then mixed (more literal text first), then wholly variable."""
    if segment.literal is not None:
        return 0, 0, segment.literal
    plain = sum(len(part) for part in segment.parts if isinstance(part, str))
    return (1, -plain, text) if plain else (2, 0, text)


def _prefix(segments: Sequence[Segment]) -> str:
    out = ""
    for segment in segments:
        out += "/"
        for part in segment.parts:
            if isinstance(part, Name):
                return out
            for char in part:
                if char not in _PLAIN:
                    return out
                out += char
    return out


def _plain(char: str) -> str:
    return char if char in _REGEX_SAFE else f"\\{char}"


def _encoded(char: str) -> str:
    return "".join(f"%{_hex(byte >> 4)}{_hex(byte & 15)}" for byte in char.encode())


def _hex(digit: int) -> str:
    return str(digit) if digit < 10 else f"[{digit:x}{digit:X}]"
