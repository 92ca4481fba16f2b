"""`readOnly`: what a request must not send, and need not (OpenAPI, Schema Object)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xds.contract.library import Library
from xds.contract.node import Node
from xds.contract.report import Report

MOST = 200
"""Schemas of one property that are looked at; chains that are longer are no one's meaning."""


def read_only(node: Node, library: Library, draft4: bool, word: str = "readOnly") -> frozenset[str]:
    """Names of a schema's properties that are `readOnly`, in itself or in what they refer to; also through `allOf`.

    `word` is another keyword to look for instead: `writeOnly`, for responses.
    """
    return _names(node, library, draft4, set(), word)


def _names(node: Node, library: Library, draft4: bool, seen: set[int], word: str) -> frozenset[str]:
    if type(node.value) is not dict or id(node.value) in seen:
        return frozenset()
    seen.add(id(node.value))
    found: set[str] = set()
    target = _target(node, library)
    if target is not None:
        found |= _names(target, library, draft4, seen, word)
        if draft4:
            return frozenset(found)
    members, parts = node.get("properties"), node.get("allOf")
    if members is not None:
        entries = library.entries(members, Report())
        found |= {name for name, member in entries if _is_read_only(member, library, draft4, set(), word)}
    if parts is not None:
        for part in parts.items():
            found |= _names(part, library, draft4, seen, word)
    return frozenset(found)


def _is_read_only(node: Node | None, library: Library, draft4: bool, seen: set[int], word: str) -> bool:
    """One of the schemas that all apply to the property is enough (JSON Schema Validation 2020-12, section 9.4); `allOf`
    is how a document of 3.0 says it of what it refers to."""
    if node is None or type(node.value) is not dict or id(node.value) in seen or len(seen) > MOST:
        return False
    seen.add(id(node.value))
    target = _target(node, library)
    if target is not None and _is_read_only(target, library, draft4, seen, word):
        return True
    if draft4 and target is not None:
        return False
    parts = node.get("allOf")
    items = parts.items() if parts is not None and type(parts.value) is list else ()
    return node.value.get(word) is True or any(_is_read_only(part, library, draft4, seen, word) for part in items)


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
