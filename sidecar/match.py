"""method, path -> the operation that Envoy's routes would choose."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from xds.model import Name, Operation, PathTemplate


@dataclass(frozen=True, slots=True)
class Match:
    """None, partial or full: no operation and no `allow` is a 404, no operation with `allow` a 405."""

    operation: Operation | None
    allow: tuple[str, ...] = ()


def match(operations: Iterable[Operation], method: str, path: str) -> Match:
    """Find the operation for a path without query. Where two templates match, the leftmost literal wins."""
    fitting = [o for o in operations if pattern(o.path).fullmatch(path)]
    if not fitting:
        return Match(None)
    best = min(_rank(o.path) for o in fitting)
    on_path = [o for o in fitting if _rank(o.path) == best]
    found = next((o for o in on_path if o.method == method.upper()), None)
    return Match(found, tuple(sorted(o.method for o in on_path)))


@lru_cache(maxsize=4096)
def pattern(template: PathTemplate) -> re.Pattern[str]:
    """A template as a regular expression with a group for each variable, in order."""
    segments = (
        "".join("([^/]+)" if isinstance(p, Name) else re.escape(p) for p in segment.parts)
        for segment in template.segments
    )
    return re.compile("/" + "/".join(segments))


def _rank(template: PathTemplate) -> tuple[tuple[int, ...], ...]:
    """Smaller is more specific: literals before variables, from the left."""
    return tuple(tuple(int(isinstance(part, Name)) for part in segment.parts) for segment in template.segments)
