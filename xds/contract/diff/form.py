"""Schema Objects that all apply to one value -> Form: what they say together, whatever they are made of.

References and `allOf` are no difference: a form lists the schemas that they come down to. Dialects are none either: `nullable`
is a type, an exclusive bound is a bound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from xds.contract.library import Library
from xds.contract.node import Node
from xds.contract.report import Report
from xds.contract.schemas.keywords import TYPES, types_of
from xds.contract.schemas.patterns import found_in

_WORDS: dict[str, frozenset[str]] = {
    keyword: frozenset(types.split())
    for types, keywords in (
        ("string", "maxLength minLength pattern contentEncoding contentMediaType contentSchema"),
        ("number integer", "maximum minimum exclusiveMaximum exclusiveMinimum multipleOf"),
        ("array", "maxItems minItems uniqueItems items prefixItems contains minContains maxContains unevaluatedItems"),
        ("object", "maxProperties minProperties required properties additionalProperties patternProperties"),
        ("object", "propertyNames dependentRequired dependentSchemas unevaluatedProperties"),
    )
    for keyword in keywords.split()
}
"""Keywords that say something of values of some types only."""

_CONDITIONS = ("if", "not", "dependentSchemas")
"""Keywords whose schemas may describe properties as well."""

_LATER = frozenset(
    [
        "const",
        "prefixItems",
        "contains",
        "minContains",
        "maxContains",
        "patternProperties",
        "propertyNames",
        "unevaluatedItems",
        "if",
        "then",
        "else",
        "unevaluatedProperties",
        "dependentRequired",
        "dependentSchemas",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
    ]
)
"""Keywords that say nothing in OpenAPI 3.0."""


Made = dict[tuple[object, ...], Any]


def flattened(nodes: Iterable[Node], library: Library, draft4: bool, report: Report) -> list[Node]:
    """The schemas that some schemas come down to by `$ref` and `allOf`, those that say nothing left out.

    What leads nowhere is told to the report."""
    found: list[Node] = []
    seen: set[int] = set()
    waiting = list(nodes)[::-1]
    while waiting:
        node = waiting.pop()
        value = node.value
        if value is True or value == {} or (type(value) is dict and id(value) in seen):
            continue
        if type(value) is not dict:
            found.append(node)  # `false`, or nothing that is a schema
            continue
        seen.add(id(value))
        for keyword in ("$ref",) if draft4 else ("$ref", "$dynamicRef"):
            text = value.get(keyword)
            target = library.resolve(node, text, report) if isinstance(text, str) else None
            if target is not None:
                waiting.append(target)
        if draft4 and "$ref" in value:
            continue
        found.append(node)
        parts = node.get("allOf")
        waiting += list(parts.items())[::-1] if parts is not None else ()
    return found


def expanded(types: Iterable[str]) -> frozenset[str]:
    """Types with those that are in them: every integer is a number."""
    found = frozenset(types)
    return found | {"integer"} if "number" in found else found


class Form:
    """What schemas say together of one value. `nodes` are plain schemas: neither references nor `allOf` matter in them.

    `made` keeps values that rules make of a contract's own, so that all forms of one contract build on the same ones."""

    def __init__(self, nodes: tuple[Node, ...], library: Library, draft4: bool, made: Made) -> None:
        self.nodes, self.library, self.draft4, self.made = nodes, library, draft4, made

    def of(self, nodes: Iterable[Node]) -> Form:
        """What other schemas of the same contract say together."""
        flat = flattened(nodes, self.library, self.draft4, Report())
        return Form(tuple(flat), self.library, self.draft4, self.made)

    @property
    def at(self) -> Node | None:
        """Where it is written; None if nothing is said at all."""
        return self.nodes[0] if self.nodes else None

    @cached_property
    def never(self) -> bool:
        """Whether no value at all is right."""
        return any(type(node.value) is not dict for node in self.nodes) or not self.types

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that a value may have, `integer` beside every `number`."""
        found = expanded(TYPES)
        for node in self.nodes:
            found &= self._types(node)
        return found

    def _types(self, node: Node) -> frozenset[str]:
        schema = node.value if type(node.value) is dict else {}
        written = schema.get("type")
        names = {written} if isinstance(written, str) else set(written) if isinstance(written, list) else set(TYPES)
        if self.draft4 and schema.get("nullable") is True and isinstance(written, str):
            names.add("null")
        values = schema.get("enum")
        if not isinstance(values, list):
            values = [schema["const"]] if "const" in schema and not self.draft4 else None
        found = expanded(names & TYPES)
        return found if values is None else found & frozenset(t for value in values for t in types_of(value))

    @cached_property
    def typed(self) -> bool:
        """Whether anything is said of the type."""
        return self.types != expanded(TYPES)

    def told(self, keyword: str) -> Iterator[Node]:
        """The values of a keyword in all the schemas, as far as it says something of the types that are left."""
        if (self.draft4 and keyword in _LATER) or not self.types & _WORDS.get(keyword, TYPES):
            return
        for node in self.nodes:
            if (child := node.get(keyword)) is not None:
                yield child

    @cached_property
    def values(self) -> dict[str, Node] | None:
        """The values of `enum` and `const` by their canonical text, where there are any."""
        found: dict[str, Node] | None = None
        for listed in (*self.told("enum"), *self.told("const")):
            items = list(listed.items()) if listed.key == "enum" else [listed]
            own = {canonical(item.value): item for item in items if set(types_of(item.value)) & self.types}
            found = own if found is None else {key: node for key, node in found.items() if key in own}
        return found

    @property
    def listed(self) -> list[Any]:
        """The values of `enum` and `const`, none where there are none."""
        return [node.value for node in (self.values or {}).values()]

    @cached_property
    def constant(self) -> bool:
        return next(self.told("const"), None) is not None

    @cached_property
    def required(self) -> dict[str, Node]:
        """Names of properties that must be there."""
        found: dict[str, Node] = {}
        for listed in self.told("required"):
            for item in listed.items():
                if isinstance(item.value, str):
                    found.setdefault(item.value, item)
        return found

    @cached_property
    def names(self) -> dict[str, Node]:
        """Names of properties that are described, each with the first of its descriptions."""
        found: dict[str, Node] = {}
        for members in self.told("properties"):
            for name, node in self.library.entries(members, Report()):
                found.setdefault(name, node)
        return found

    def member(self, name: str) -> tuple[Node, ...]:
        """The schemas of one property: in each object's schema what `properties`, `patternProperties`, or else
        `additionalProperties` say (JSON Schema 2020-12, 10.3.2); where none says anything, `unevaluatedProperties`."""
        found = tuple(schema for node in self.nodes for schema in self._member(node, name))
        conditional = self.groups or any(next(self.told(keyword), None) for keyword in _CONDITIONS)
        return found or (() if conditional else tuple(self.told("unevaluatedProperties")))

    def _member(self, node: Node, name: str) -> list[Node]:
        if "object" not in self.types:
            return []
        members = node.get("properties")
        found = (
            [n for key, n in self.library.entries(members, Report()) if key == name][:1] if members is not None else []
        )
        patterns = node.get("patternProperties") if not self.draft4 else None
        found += [n for key, n in patterns.members() if found_in(key, name)] if patterns is not None else []
        others = node.get("additionalProperties")
        return found or ([others] if others is not None else [])

    @cached_property
    def additional(self) -> tuple[Node, ...]:
        """The schemas of properties that no name describes."""
        return tuple(node for node in self.told("additionalProperties") if node.value is not True)

    @cached_property
    def groups(self) -> tuple[Node, ...]:
        """The lists of `anyOf` and `oneOf`."""
        lists = (*self.told("anyOf"), *self.told("oneOf"))
        return tuple(node for node in lists if type(node.value) is list and node.value)

    def has(self, keyword: str) -> bool:
        """Whether an annotation stands in any of the schemas as `true`."""
        return any(node.value is True for node in self.told(keyword))


def canonical(value: Any) -> str:
    """A text that is the same for values that JSON Schema takes for equal."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
