"""Version -> Version whose operations hold what their settings mean."""

from __future__ import annotations

from dataclasses import replace

from xds.model import Operation, Version
from xds.native import native_of
from xds.passes.kept import Kept


def configure(version: Version) -> Version:
    """Fill in `Operation.native` for every operation that has settings; all others stay the objects they are."""
    if not any(operation.settings for operation in version.operations):
        return version
    return replace(version, operations=_configured(version))


def _native(operation: Operation) -> Operation:
    if not operation.settings:
        return operation
    native, body = native_of(operation.settings), operation.body
    if native.body_limit is not None and body is not None:
        body = replace(body, limit=native.body_limit)
    return replace(operation, native=native, body=body)


_configured = Kept(_native)
