"""key, value -> whether `x-sidegate` takes it: what is written by an import is what the features' own schemas allow."""

from __future__ import annotations

from typing import Any

from xds.importing.part import Notes, Part
from xds.native import FEATURES
from xds.native.faults import faults

Keys = dict[str, Any]
"""What an object's `x-sidegate` will hold."""

_SCHEMAS = {feature.key: feature.schema for feature in FEATURES}


def put(keys: Keys, key: str, value: Any, notes: Notes, part: Part, meant: str) -> bool:
    """Set a key if its feature takes the value; else say that `meant` has no equivalent. Returns whether it was set."""
    schema = _SCHEMAS.get(key)
    if schema is None:
        notes.lost(part, f"{meant}: there is no key `{key}` in this version of Sidegate")
        return False
    if wrong := next(iter(faults(value, schema)), None):
        notes.lost(part, f"{meant} cannot be carried over: {wrong.message}", wrong.help)
        return False
    keys[key] = value
    return True


def merge(keys: Keys, more: Keys) -> None:
    """Put keys into keys; mappings are merged, so that two sources can each give a header."""
    for key, value in more.items():
        below = keys.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merge(below, value)
        else:
            keys[key] = value
