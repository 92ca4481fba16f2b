"""A contract's files -> Side: its operations, and the values of its document that they were read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xds.contract.compiler import Contract, compile_contract
from xds.contract.dialects import dialect
from xds.contract.library import Library
from xds.contract.memory import Cache
from xds.contract.node import Node
from xds.contract.report import Report
from xds.contract.security import follow
from xds.model import Place, SchemaRef

from .form import Form, Made, flattened


@dataclass(slots=True)
class Side:
    """One of the two contracts. `draft4` says that its Schema Objects are those of OpenAPI 3.0; `report` gathers references
    that lead nowhere, in places that compiling does not look at."""

    contract: Contract
    library: Library
    root: Node
    draft4: bool
    report: Report = field(default_factory=Report)
    _forms: dict[frozenset[int], Form] = field(default_factory=dict)
    _written: dict[tuple[int, ...], Form] = field(default_factory=dict)
    _made: Made = field(default_factory=dict)

    def at(self, place: Place) -> Node:
        """The value at a place; the document's root if it is not there."""
        if place.file in self.library.files:
            self.library.root(place.file)
        return self.library.at(place) or self.root

    def schema(self, reference: SchemaRef | None) -> Node | None:
        """The schema that was written at a reference's place."""
        return self.at(reference.place) if reference is not None else None

    def follow(self, node: Node | None) -> Node | None:
        """What a Reference Object leads to, if that is a mapping."""
        target = follow(node, self.library, Report()) if node is not None else None
        return target if target is not None and type(target.value) is dict else None

    def form(self, nodes: Iterable[Node]) -> Form:
        """What schemas say together of one value; equal conjunctions are the same object."""
        nodes = tuple(nodes)
        written = tuple(id(node.value) for node in nodes)  # the same one is asked for with each of its counterparts
        if (known := self._written.get(written)) is None:
            flat = flattened(nodes, self.library, self.draft4, self.report)
            key = frozenset(id(node.value) for node in flat)
            if (known := self._forms.get(key)) is None:
                known = self._forms[key] = Form(tuple(flat), self.library, self.draft4, self._made)
            self._written[written] = known
        return known


def open_side(
    files: Mapping[str, bytes], root: str, service: str, version: str, cache: Cache | None = None
) -> Side | None:
    """A contract for comparing, or None if it is no OpenAPI document that can be read at all."""
    cache = cache or Cache()
    contract = compile_contract(files, root, service=service, version=version, cache=cache)
    spoken = dialect(contract.openapi + ".0") if contract.openapi else None
    if spoken is None:
        return None
    library = Library(files, root, cache.loaded)
    node = library.root(root)
    library.with_ids = not spoken.draft4
    if node is None:
        return None
    if library.with_ids:
        library.index(node)
    return Side(contract, library, node, spoken.draft4)
