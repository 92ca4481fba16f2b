"""Gateway -> its operations with native features, found once a version: most of ten thousand have none."""

from __future__ import annotations

from collections.abc import Iterator

from xds.model import Gateway, Operation, Version
from xds.native import PLAIN

_VERSIONS = 256
_found: dict[int, tuple[Version, tuple[Operation, ...]]] = {}
"""By identity: a version that did not change is the same object from one compilation to the next."""


def featured(gateway: Gateway) -> Iterator[Operation]:
    """The operations that ask for any native feature, and maybe others, in the gateway's order."""
    for service in gateway.services:
        for version in service.versions:
            yield from featured_of(version)


def featured_of(version: Version) -> tuple[Operation, ...]:
    """Those of one version."""
    known = _found.get(id(version))
    if known is None or known[0] is not version:
        if len(_found) >= _VERSIONS:
            _found.clear()
        known = _found[id(version)] = (
            version,
            tuple([o for o in version.operations if o.native is not PLAIN]),
        )
    return known[1]
