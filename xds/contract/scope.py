"""Scope: what the parts of one contract have in common while it is compiled."""

from __future__ import annotations

from dataclasses import dataclass, field

from xds.model import Place, SchemaRef, Shape

from .dialects import Dialect
from .library import Library
from .node import Node
from .report import Report
from .schemas import ANY, Lowering, shape_of
from .security import follow


@dataclass(slots=True)
class Scope:
    """`used` collects the URIs of the schemas that the work at hand has named, `silent` the operations that no `security`
    speaks of."""

    library: Library
    dialect: Dialect
    lowering: Lowering
    report: Report
    used: dict[str, None] = field(default_factory=dict)
    silent: list[Place] = field(default_factory=list)

    def follow(self, node: Node) -> Node | None:
        return follow(node, self.library, self.report)

    def object(self, node: Node, what: str) -> Node | None:
        """What a Reference Object leads to, if that is a mapping."""
        target = self.follow(node)
        if target is None or self.report.expect(target, dict, what) is None:
            return None
        return target

    def schema(self, node: Node | None) -> tuple[SchemaRef | None, Shape]:
        """A schema's reference and shape; no schema allows everything."""
        if node is None:
            return None, ANY
        reference = self.lowering.reference(node)
        self.used[reference.uri] = None
        return reference, shape_of(node, self.library, self.dialect.draft4)
