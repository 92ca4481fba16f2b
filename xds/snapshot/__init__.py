"""Envoy resources -> Snapshot: one consistent set of serialised resources, its versions, what changed, the last good one."""

from xds.snapshot.consistency import problems
from xds.snapshot.resource import Change, Resource, Snapshot, delta, snapshot_of, version_of
from xds.snapshot.store import Store, Stored, StoreError

__all__ = [
    "Change",
    "Resource",
    "Snapshot",
    "Store",
    "StoreError",
    "Stored",
    "delta",
    "problems",
    "snapshot_of",
    "version_of",
]
