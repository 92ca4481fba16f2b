"""Comparison: two sides with what their rooms share: the solver, and the changes found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from xds.contract.node import Node
from xds.model import Place

from .change import Change, Direction
from .schemas import compare as rules
from .side import Side
from .solver import Solver
from .subjects import Subject, identify


@dataclass(slots=True)
class Comparison:
    """`today` is the day that dates of sunset are measured by."""

    old: Side
    new: Side
    today: date
    solver: Solver = field(init=False)
    changes: list[Change] = field(default_factory=list)
    operation: str = ""

    def __post_init__(self) -> None:
        self.solver = Solver(self.old, self.new, rules)

    def add(self, id: str, message: str, old: Node | Place, new: Node | Place) -> None:
        """A change of the operation at hand."""
        self.changes.append(Change(id, message, self.operation, _place(old), _place(new)))

    def schemas(
        self,
        subject: Subject,
        old: Node | None,
        new: Node | None,
        around: tuple[Node, Node],
        text: bool = False,
    ) -> None:
        """Compare the schemas of a subject; None stands for none, which allows everything. `around` are the places of what
        holds them."""
        direction = Direction.REQUEST if subject.kind.request else Direction.RESPONSE
        before, after = ((node,) if node is not None else () for node in (old, new))
        for reached in self.solver.compare(before, after, direction, text):
            issue = reached.issue
            path = reached.path + ((issue.step,) if issue.step is not None else ())
            where = f"{subject.words}, {'.'.join(path)}" if path else subject.words
            self.add(
                identify(subject, issue, reached.path),
                f"{where}: {issue.words}",
                issue.old or reached.old or around[0],
                issue.new or reached.new or around[1],
            )


def _place(at: Node | Place) -> Place:
    return at if isinstance(at, Place) else at.place
