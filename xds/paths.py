"""PathTemplate -> regex, literal prefix and rank: which paths a template matches, and which template wins.

There is one such rule, for Envoy's routes, for the warnings about contracts, and for whoever asks without sending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from xds.model import Location, Name, Operation, PathTemplate, Segment

VALUE = "[^/?;]+"
"""A segment's variable part. Without `;`: RFC 6570 escapes it in values, and `/..;/` is a way around a matcher upstream."""

MATRIX = ";[^/?]*"
"""A variable part of style `matrix` (RFC 6570, section 3.2.7)."""

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@")
"""Characters that stand for themselves in a path (RFC 3986, `pchar` without escapes)."""

_REGEX_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~!&',;=:@%")

SegmentRank = tuple[int, int, tuple[str, ...]]
"""Smaller is tried first: literal, then mixed (more literal text first), then wholly variable."""

Rank = tuple[tuple[SegmentRank, str], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A template as paths are matched with it.

    `segments` are regexes, one a path segment, `literals` the decoded texts of those without a variable; `prefix` is the
    text that every path of the template starts with, slashes included; `rank` orders templates that match one path: the
    smaller wins, since a literal segment beats a templated one and the leftmost difference decides (OpenAPI, Paths
    Object, path templating matching).
    """

    segments: tuple[str, ...]
    literals: tuple[str | None, ...]
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
    ranks = tuple((rank(segment), text) for segment, text in zip(template.segments, segments, strict=True))
    return Pattern(segments, tuple(s.literal for s in template.segments), _prefix(template.segments), ranks)


def rank(segment: Segment) -> SegmentRank:
    """Where a segment stands among others that match one text: literals, then the longest literal text, then variables."""
    if segment.literal is not None:
        return 0, 0, (segment.literal,)
    parts = tuple("" if isinstance(part, Name) else part for part in segment.parts)
    length = sum(map(len, parts))
    return 1 if length else 2, -length, parts


def matrix_names(operation: Operation) -> frozenset[str]:
    """The path parameters of an operation that are written in style `matrix`."""
    return frozenset(p.name for p in operation.parameters if p.location is Location.PATH and p.style == "matrix")


def literal(text: str) -> str:
    """The regex of a literal: every piece of text from a contract comes into a regex through here, and nowhere else.

    What a path cannot hold as it is has to come percent-encoded, in either case of hexadecimal digits.
    """
    return "".join(_plain(char) if char in _PLAIN else _encoded(char) for char in text)


def _segment(segment: Segment, matrix: frozenset[str]) -> str:
    return "".join(
        (MATRIX if part.name in matrix else VALUE) if isinstance(part, Name) else literal(part)
        for part in segment.parts
    )


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
