"""Schema Object -> Shape: what text may be decoded to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from xds.contract.library import Library
from xds.contract.node import Node
from xds.contract.report import Report
from xds.model import Shape

from .keywords import TYPES, types_of

ANY = Shape(TYPES)
_MAX_DEPTH = 5
_MAX_STEPS = 3_000
_MAX_CHAIN = 64
"""Schemas that apply to one value, each by way of the one before."""


def shape_of(node: Node, library: Library, draft4: bool) -> Shape:
    """The shape of a schema, through `$ref`, `allOf`, `anyOf` and `oneOf`, as deep as text can nest."""
    return _Shaping(library, draft4).shape(node, 0, frozenset())


class _Shaping:
    def __init__(self, library: Library, draft4: bool) -> None:
        self.library, self.draft4, self.steps = library, draft4, 0

    def shape(self, node: Node, depth: int, seen: frozenset[int]) -> Shape:
        value = node.value
        self.steps += 1
        if type(value) is not dict or depth > _MAX_DEPTH or id(value) in seen:
            return ANY
        if self.steps > _MAX_STEPS or len(seen) > _MAX_CHAIN:
            return ANY
        seen |= {id(value)}
        if "$ref" in value or "$dynamicRef" in value:
            referred = self._referred(node, depth, seen)
            if self.draft4:
                return referred
            return _both(referred, self._own(node, depth, seen))
        return self._own(node, depth, seen)

    def _referred(self, node: Node, depth: int, seen: frozenset[int]) -> Shape:
        reference = node.value.get("$ref", node.value.get("$dynamicRef"))
        target = self.library.resolve(node, reference, Report()) if isinstance(reference, str) else None
        return ANY if target is None else self.shape(target, depth, seen)

    def _own(self, node: Node, depth: int, seen: frozenset[int]) -> Shape:
        shape = self._plain(node, depth, seen)
        for part in self._list(node, "allOf"):
            shape = _both(shape, self.shape(part, depth, seen))
        for keyword in ("anyOf", "oneOf"):
            parts = [self.shape(part, depth, seen) for part in self._list(node, keyword)]
            if parts:
                shape = _both(shape, _either(parts))
        return shape

    def _plain(self, node: Node, depth: int, seen: frozenset[int]) -> Shape:
        items = node.get("items")
        additional = node.get("additionalProperties")
        members = node.get("properties")
        return Shape(
            _types(node.value, self.draft4),
            None if items is None else self.shape(items, depth + 1, frozenset()),
            {} if members is None else self._members(members, depth),
            None
            if additional is None or type(additional.value) is bool
            else self.shape(additional, depth + 1, frozenset()),
        )

    def _members(self, node: Node, depth: int) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        for name, member in self.library.entries(node, Report()):
            if name not in found:
                found[name] = self.shape(member, depth + 1, frozenset())
        return found

    @staticmethod
    def _list(node: Node, keyword: str) -> Iterable[Node]:
        child = node.get(keyword)
        return child.items() if child is not None else ()


def _types(schema: Mapping[str, Any], draft4: bool) -> frozenset[str]:
    written = schema.get("type")
    if isinstance(written, str) and written in TYPES:
        types = {written}
        if draft4 and schema.get("nullable") is True:
            types.add("null")
    elif isinstance(written, list):
        types = {t for t in written if isinstance(t, str)} & TYPES
    else:
        types = set(TYPES)
    values = schema.get("enum", [schema["const"]] if "const" in schema and not draft4 else None)
    if isinstance(values, list) and values:
        types &= {t for value in values for t in types_of(value)}
    return frozenset(types)


def _both(a: Shape, b: Shape) -> Shape:
    """Values that both shapes describe."""
    types = a.types & b.types
    if ("integer" in a.types and "number" in b.types) or ("number" in a.types and "integer" in b.types):
        types |= {"integer"}
    properties = dict(a.properties)
    for name, shape in b.properties.items():
        properties[name] = _both(properties[name], shape) if name in properties else shape
    items = _both(a.items, b.items) if a.items and b.items else a.items or b.items
    additional = _both(a.additional, b.additional) if a.additional and b.additional else a.additional or b.additional
    return Shape(types, items, properties, additional)


def _either(shapes: list[Shape]) -> Shape:
    """Values that any of the shapes describes."""
    result = shapes[0]
    for other in shapes[1:]:
        properties = dict(result.properties)
        for name, shape in other.properties.items():
            properties[name] = _either([properties[name], shape]) if name in properties else shape
        items = _either([result.items, other.items]) if result.items and other.items else result.items or other.items
        parts = [s for s in (result.additional, other.additional) if s]
        additional = _either(parts) if len(parts) == 2 else (parts[0] if parts else None)
        result = replace(
            result, types=result.types | other.types, items=items, properties=properties, additional=additional
        )
    return result
