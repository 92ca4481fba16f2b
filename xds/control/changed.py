"""Gateway before, gateway after -> the operations that are new or different: what is told of a change."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from xds.model import Gateway, Operation, Version


def changed(before: Gateway, after: Gateway) -> list[Operation]:
    """Operations of `after` that are new or different; of a version where only what they share changed, all."""
    old = {(v.service, v.name): v for s in before.services for v in s.versions}
    found: list[Operation] = []
    for version in (v for s in after.services for v in s.versions):
        was = old.get((version.service, version.name))
        if was is None or was.digest != version.digest:
            known = {o.id: _judged(was, o) for o in was.operations} if was else {}
            different = [o for o in version.operations if known.get(o.id) != _judged(version, o)]
            found.extend(different or version.operations)
    return found


def _judged(version: Version, operation: Operation) -> tuple[Operation, list[object]]:
    """An operation with the schemas that it names itself."""
    refs = [p.schema for p in operation.parameters]
    refs += [media.schema for media in operation.body.media] if operation.body else []
    return operation, [_resolved(version, ref.uri) for ref in refs if ref]


def _resolved(version: Version, uri: str) -> object:
    resource, _, fragment = uri.partition("#")
    value = version.schemas.resources.get(resource)
    for token in unquote(fragment).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
