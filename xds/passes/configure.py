"""Version -> Version whose operations hold what their settings mean."""

from __future__ import annotations

from dataclasses import replace

from xds.model import Operation, Version
from xds.native import native_of


def configure(version: Version) -> Version:
    """Fill in `Operation.native` for every operation that has settings; all others stay the objects they are."""
    if not any(operation.settings for operation in version.operations):
        return version
    return replace(version, operations=tuple(map(_configured, version.operations)))


_KEPT = 50_000
_kept: dict[int, tuple[Operation, Operation]] = {}
"""By identity: operations of paths that did not change are the same objects from one compilation to the next."""


def _configured(operation: Operation) -> Operation:
    if not operation.settings:
        return operation
    known = _kept.get(id(operation))
    if known is None or known[0] is not operation:
        if len(_kept) >= _KEPT:
            _kept.clear()
        known = _kept[id(operation)] = operation, replace(operation, native=native_of(operation.settings))
    return known[1]
