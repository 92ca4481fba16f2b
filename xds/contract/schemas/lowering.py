"""Schema Object -> JSON Schema 2020-12.

Every schema that a request can meet is lowered once, as a root of its own: what an operation names, and what a `$ref` leads
to. References stay references, so recursion is a cycle of roots and nothing is ever expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from xds.contract.dialects import Dialect
from xds.contract.library import Library
from xds.contract.node import Node
from xds.contract.report import Finding, Report, suggestion
from xds.model import SchemaRef

from . import checks, formats, patterns
from .directions import read_only, without_read_only
from .discriminator import dispatch
from .keywords import DRAFT4, DRAFT2020, OLDER, Kind

_FOREIGN = frozenset(
    {"openapi", "paths", "content", "responses", "in", "schema", "schemas", "requestBody", "parameters", "operationId"}
)

MAX_NODES = 20_000
"""Schema objects in one schema, references not followed; only YAML aliases come near."""


@dataclass(slots=True)
class Lowered:
    """One lowered root: `resource` and `key` are where it lies in `Schemas`, `here` the roots applied to the same value,
    `parts` those applied inside it; `cost` and `problem` are filled in by `budget`."""

    resource: str
    key: str
    node: Node
    value: Any = True
    nodes: int = 0
    cost: int = 0
    problem: Finding | None = None
    files: frozenset[str] = frozenset()
    here: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Lowering:
    """Lowers on demand; `done` holds every root so far by URI, `fresh` those that were not there at the beginning.

    `hides` is the keyword of properties that are not sent: `readOnly` in requests, `writeOnly` in responses.
    """

    library: Library
    dialect: Dialect
    done: dict[str, Lowered] = field(default_factory=dict)
    queue: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    hides: str = "readOnly"

    def reference(self, node: Node) -> SchemaRef:
        """The URI of a schema, which is lowered by the next `drain` if it is new."""
        uri = self.library.uri(node)
        if uri not in self.done:
            resource, pointer = self.library.resource_of(node)
            self.done[uri] = Lowered(resource.uri, pointer, node)
            self.queue.append(uri)
        return SchemaRef(uri, node.place)

    def drain(self) -> None:
        """Lowers what has been referred to, and what that refers to."""
        while self.queue:
            uri = self.queue.pop()
            self.fresh.append(uri)
            root = self.done[uri]
            one = _One(self, root)
            self.library.touched = set()
            one.expect_schema(root.node)
            root.value = one.schema(root.node, here=True)
            root.nodes, root.findings = one.nodes, tuple(one.report.findings)
            root.here, root.parts = tuple(one.here), tuple(one.parts)
            root.files = frozenset(self.library.touched)

    def resources(self) -> dict[str, dict[str, Any]]:
        """Everything so far, by resource and key, as `Schemas` has it."""
        found: dict[str, dict[str, Any]] = {}
        for one in self.done.values():
            found.setdefault(one.resource, {})[one.key] = one.value
        for uri, values in found.items():
            anchors = self.library.resources[uri].dynamic if uri in self.library.resources else None
            if anchors:
                named = {name: {"$dynamicAnchor": name, "$ref": self.library.uri(n)} for name, n in anchors.items()}
                values["$defs"] = named
        return found

    def reached(self, uris: Iterable[str]) -> Iterator[str]:
        """The roots that can be met from some roots, themselves included."""
        seen: set[str] = set()
        queue = list(uris)
        while queue:
            uri = queue.pop()
            if uri not in seen:
                seen.add(uri)
                yield uri
                queue += self.done[uri].here
                queue += self.done[uri].parts


class _One:
    """The lowering of one root."""

    def __init__(self, lowering: Lowering, root: Lowered) -> None:
        self.lowering, self.library, self.dialect = lowering, lowering.library, lowering.dialect
        self.table = DRAFT4 if self.dialect.draft4 else DRAFT2020
        self.root = root.node
        self.report = Report()
        self.here: list[str] = []  # as often as it is there, since that is how often it is checked
        self.parts: dict[str, None] = {}
        self.nodes = 0
        if root.resource in self.library.resources:
            for anchor in self.library.resources[root.resource].dynamic.values():
                self.parts[lowering.reference(anchor).uri] = None

    def schema(self, node: Node, here: bool, outer: frozenset[str] = frozenset()) -> Any:
        """The lowered form of one schema.

        `here` says that it applies to the root's own value; `outer` are properties that are read-only beside it.
        """
        value = node.value
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.report.add("schema-budget", f"one schema holds more than {MAX_NODES:,} others", node)
            return False
        if type(value) is bool and (not self.dialect.draft4 or node.key == "additionalProperties"):
            return value
        if type(value) is not dict:
            self.report.expect(node, dict, "a schema")
            return False
        if self.dialect.draft4 and "$ref" in value:
            return self._reference(node, "$ref", here)
        if id(value) in self.library.boundaries and value is not self.root.value:
            return self._referred(node, here)  # a resource of its own is a root of its own
        check_dialect(node.get("$schema"), self.report)
        lowered: dict[str, Any] = {}
        hidden = outer | self._hidden(node) if self._may_hide(value) else outer
        for keyword, child in node.members():
            kind = self.table.get(keyword)
            if kind is None:
                self._unknown(keyword, child)
            elif keyword == "allOf" and hidden:
                if self.report.expect(child, list, "`allOf`"):
                    lowered["allOf"] = [self.schema(item, here, hidden) for item in child.items()]
            elif kind is not Kind.DROPPED:
                self._keyword(keyword, kind, child, lowered, here)
        self._finish(node, lowered, hidden)
        return lowered

    def _hidden(self, node: Node) -> frozenset[str]:
        return read_only(node, self.library, self.dialect.draft4, self.lowering.hides)

    def expect_schema(self, node: Node) -> None:
        """A reference can lead anywhere; what is another kind of object would allow every value."""
        foreign = _FOREIGN.intersection(node.value) if type(node.value) is dict else ()
        if foreign:
            message = f"this is no schema: it has a field `{min(foreign)}`"
            self.report.add("schema-type", message, node, "a reference to it stands where a schema belongs")

    @staticmethod
    def _may_hide(schema: dict[str, Any]) -> bool:
        return "properties" in schema or "allOf" in schema or ("$ref" in schema and "required" in schema)

    def _keyword(self, keyword: str, kind: Kind, child: Node, lowered: dict[str, Any], here: bool) -> None:
        if kind in _CHECKED:
            checked = _CHECKED[kind](child, keyword, self.report)
            if checked is not None or kind is Kind.VALUE:
                lowered[keyword] = checked
        elif kind is Kind.REFERENCE:
            if child.parent is not None:
                lowered.update(self._reference(child.parent, keyword, here))
        elif kind in (Kind.SCHEMA, Kind.SCHEMA_HERE):
            lowered[keyword] = self.schema(child, here and kind is Kind.SCHEMA_HERE)
        elif kind in (Kind.SCHEMAS, Kind.SCHEMAS_HERE):
            same = here and kind is Kind.SCHEMAS_HERE
            if self.report.expect(child, list, f"`{keyword}`"):
                lowered[keyword] = [self.schema(item, same) for item in child.items()]
            elif child.value == []:
                self.report.add("schema-impossible", f"`{keyword}` needs at least one schema", child)
        elif kind in (Kind.SCHEMA_MAP, Kind.SCHEMA_MAP_HERE):
            same = here and kind is Kind.SCHEMA_MAP_HERE
            if self.report.expect(child, dict, f"`{keyword}`") is not None:
                lowered[keyword] = self._members(keyword, child, same)
        elif kind is Kind.PATTERN:
            text = self.report.expect(child, str, "`pattern`")
            if text is not None and self._pattern(text, child):
                lowered["pattern"] = text
        elif kind is Kind.FORMAT:
            self.report.expect(child, str, "`format`")

    def _members(self, keyword: str, child: Node, here: bool) -> dict[str, Any]:
        lowered: dict[str, Any] = {}
        for name, member in self.library.entries(child, self.report):
            if name not in lowered and (keyword != "patternProperties" or self._pattern(name, member)):
                lowered[name] = self.schema(member, here)
        return lowered

    def _finish(self, node: Node, lowered: dict[str, Any], hidden: frozenset[str]) -> None:
        """What several keywords say together."""
        schema = node.value
        if self.dialect.draft4:
            checks.bounds(node, lowered, self.report)
            checks.nullable(node, lowered, self.report)
        checks.consistent(node, lowered, self.report)
        name = schema.get("format")
        if isinstance(name, str):
            formats.lower(name, self.dialect.formats, lowered)
        dispatch(node, lowered, self.library, self.dialect.draft4, self.report)
        if hidden:
            without_read_only(lowered, hidden, lowered.get("properties", ()))

    def _reference(self, node: Node, keyword: str, here: bool) -> dict[str, Any]:
        text = self.report.expect(node.get(keyword), str, f"`{keyword}`")
        found = self.library.lookup(node, text, self.report) if text is not None else None
        if found is None:
            return {keyword: False} if text is None else {"not": {}}
        target, anchor, resource = found
        plain = self._referred(target, here)
        if keyword == "$dynamicRef" and anchor is not None and anchor in resource.dynamic:
            return {"$dynamicRef": f"{resource.uri}#{anchor}"}
        return plain

    def _referred(self, target: Node, here: bool) -> dict[str, Any]:
        uri = self.lowering.reference(target).uri
        if here:
            self.here.append(uri)
        else:
            self.parts[uri] = None
        return {"$ref": uri}

    def _pattern(self, text: str, at: Node) -> bool:
        why = patterns.refusal(text)
        if why is not None:
            help = "rewrite it without look-around and back-references, or check it in the policy"
            self.report.add("pattern-unsupported", why, at, help)
        return why is None

    def _unknown(self, keyword: str, at: Node) -> None:
        if keyword.startswith("x-"):
            return
        known = DRAFT2020 if self.dialect.draft4 else DRAFT4
        if keyword in OLDER and not self.dialect.draft4:
            self.report.add(
                "unknown-keyword", f"`{keyword}` says nothing in OpenAPI {self.dialect.name}", at, OLDER[keyword]
            )
        elif keyword in known:
            message = f"OpenAPI {self.dialect.name} has no keyword `{keyword}`: it is not enforced"
            self.report.add(
                "unknown-keyword", message, at, "it is part of OpenAPI 3.1" if self.dialect.draft4 else None
            )
        elif (near := suggestion(keyword, self.table)) is not None:
            self.report.add("unknown-keyword", f"there is no keyword `{keyword}`: it is not enforced", at, near)


def check_dialect(node: Node | None, report: Report) -> None:
    """`$schema` and `jsonSchemaDialect`: only JSON Schema 2020-12, with or without OpenAPI's own words."""
    text = report.expect(node, str, "a dialect")
    if node is not None and text is not None and not _DIALECT.fullmatch(text):
        help = "2020-12 is: https://json-schema.org/draft/2020-12/schema"
        report.add("schema-dialect", "this dialect of JSON Schema is not read", node, help)


_DIALECT = re.compile(
    r"https?://json-schema\.org/draft/2020-12/schema#?|https://spec\.openapis\.org/oas/3\.[12]/dialect/[a-z0-9-]+"
)

_CHECKED = {
    Kind.COUNT: checks.count,
    Kind.NUMBER: checks.number,
    Kind.POSITIVE: checks.positive,
    Kind.FLAG: checks.flag,
    Kind.NAMES: checks.names,
    Kind.NAME_LISTS: checks.name_lists,
    Kind.VALUE: checks.anything,
    Kind.TYPE: checks.types,
    Kind.ENUM: checks.values,
}
