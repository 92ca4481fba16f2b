"""Operation -> Operation, once for each object: what did not change stays the object it was, before and after a pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xds.model import Operation, Version

_MOST = 1_000
_ASIDE = 3
_Table = tuple[tuple[Operation, ...], tuple[Operation, ...]]


@dataclass(slots=True)
class Kept:
    """A change to operations that remembers, of every version, the operations it was last made to and what became of them.

    Compilations of the same version that share no operation, as two compilers make them, are remembered side by side, four
    at most. Nothing else is kept of operations that a version no longer has, nor of more than a thousand versions.
    """

    change: Callable[[Operation], Operation]
    _tables: dict[tuple[str, str], list[_Table]] = field(default_factory=dict)

    def __call__(self, version: Version) -> tuple[Operation, ...]:
        key = version.service, version.name
        known: dict[int, Operation] = {}
        others: list[_Table] = []
        for before, after in self._tables.pop(key, ()):
            table = dict(zip(map(id, before), after, strict=True))
            if any(id(operation) in table for operation in version.operations):
                known |= table
            else:
                others.append((before, after))
        get, change = known.get, self.change
        result = tuple([get(id(operation)) or change(operation) for operation in version.operations])
        self._tables[key] = [*others[-_ASIDE:], (version.operations, result)]
        if len(self._tables) > _MOST:
            del self._tables[next(iter(self._tables))]
        return result
