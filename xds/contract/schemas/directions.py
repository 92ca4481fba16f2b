"""`readOnly`: what a request must not send, and need not (OpenAPI, Schema Object)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xds.contract.library import Library
from xds.contract.node import Node
from xds.contract.report import Report


def read_only(node: Node, library: Library, draft4: bool) -> frozenset[str]:
    """Names of a schema's properties that are `readOnly`, in itself or in what they refer to; also through `allOf`."""
    return _names(node, library, draft4, set())


def _names(node: Node, library: Library, draft4: bool, seen: set[int]) -> frozenset[str]:
    if type(node.value) is not dict or id(node.value) in seen:
        return frozenset()
    seen.add(id(node.value))
    found: set[str] = set()
    target = _target(node, library)
    if target is not None:
        found |= _names(target, library, draft4, seen)
        if draft4:
            return frozenset(found)
    members, parts = node.get("properties"), node.get("allOf")
    if members is not None:
        found |= {name for name, member in library.entries(members, Report()) if _is_read_only(member, library, draft4)}
    if parts is not None:
        for part in parts.items():
            found |= _names(part, library, draft4, seen)
    return frozenset(found)


def _is_read_only(node: Node | None, library: Library, draft4: bool) -> bool:
    for _ in range(32):
        if node is None or type(node.value) is not dict:
            return False
        target = _target(node, library)
        if node.value.get("readOnly") is True and not (draft4 and target is not None):
            return True
        node = target
    return False


def _target(node: Node, library: Library) -> Node | None:
    reference = node.value.get("$ref")
    return library.resolve(node, reference, Report()) if isinstance(reference, str) else None


def without_read_only(lowered: dict[str, Any], hidden: frozenset[str], own: Iterable[str]) -> None:
    """Refuses the `own` ones of the hidden properties in requests, and takes all hidden ones out of `required`.

    The refusal is a part of its own at the end of `allOf`, where `readOnly` stands beside it for whoever explains it; the
    property's own schema stays as it is, since a reference may lead to it from a place that is no property.
    """
    if "required" in lowered:
        lowered["required"] = [name for name in lowered["required"] if name not in hidden]
    refused = {name: {"readOnly": True, "not": {}} for name in sorted(hidden.intersection(own))}
    if refused:
        lowered.setdefault("allOf", []).append({"properties": refused})
