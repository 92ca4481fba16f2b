"""method, path -> the operation that Envoy's routes would choose, by the patterns and ranks that they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from xds.model import Operation
from xds.paths import Pattern, matrix_names, pattern_of


@dataclass(frozen=True, slots=True)
class Match:
    """None, partial or full: no operation and no `allow` is a 404, no operation with `allow` a 405."""

    operation: Operation | None
    allow: tuple[str, ...] = ()


def match(operations: Iterable[Operation], method: str, path: str) -> Match:
    """Find the operation for a path as Envoy normalises it, without query. Methods are told apart by case."""
    fitting = [(o, pattern) for o in operations if _expression(pattern := _pattern(o)).fullmatch(path)]
    if not fitting:
        return Match(None)
    best = min(pattern.rank for _, pattern in fitting)
    on_path = [o for o, pattern in fitting if pattern.rank == best]
    found = next((o for o in on_path if o.method == method), None)
    return Match(found, tuple(sorted(o.method for o in on_path)))


def _pattern(operation: Operation) -> Pattern:
    return pattern_of(operation.path, matrix_names(operation))


@lru_cache(maxsize=4096)
def _expression(pattern: Pattern) -> re.Pattern[str]:
    return re.compile(pattern.path)
