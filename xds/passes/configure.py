"""Version -> Version that holds what the settings of its document and operations mean."""

from __future__ import annotations

from dataclasses import replace

from xds.model import Operation, Version
from xds.native import Setting, native_of
from xds.passes.kept import Kept


def configure(version: Version) -> Version:
    """Fill in `Operation.native` for every operation that has settings; all others stay the objects they are."""
    if not any(operation.settings for operation in version.operations):
        return version
    return replace(version, operations=_configured(version), native=native_of(_of_document(version)))


def _of_document(version: Version) -> dict[str, Setting]:
    """The settings of the document's root, found where operations have them: those were checked."""
    distinct = {id(operation.settings): operation.settings for operation in version.operations}
    return {
        key: setting
        for settings in distinct.values()
        for key, setting in settings.items()
        if setting.of_document and setting.place.file == version.place.file
    }


def _native(operation: Operation) -> Operation:
    if not operation.settings:
        return operation
    native, body = native_of(operation.settings), operation.body
    if native.body_limit is not None and body is not None:
        body = replace(body, limit=native.body_limit)
    return replace(operation, native=native, body=body)


_configured = Kept(_native)
