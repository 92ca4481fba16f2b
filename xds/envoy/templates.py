"""Pattern -> regex: how Envoy recognises a path, alone or among many.

Envoy matches on `:path`, which it has normalised (dot segments, backslashes, doubled slashes, needless escapes are gone,
escaped slashes are refused) and which still carries the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from xds.paths import Pattern, matrix_names, pattern_of

__all__ = ["QUERY", "Pattern", "alternation", "matrix_names", "may_start", "pattern_of"]

QUERY = r"(?:\?.*)?"
"""What may follow a path in `:path`."""


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
    plain = pattern.literals[len(whole)]
    return plain is None or plain.startswith(last)
