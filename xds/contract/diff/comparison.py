"""Comparison: two sides with what their rooms share: the solver, and the changes found so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from xds.contract.node import Node
from xds.contract.rules.allowances import named
from xds.model import Operation, Place

from .allowances import Allowance, of_document, of_operation
from .change import Change, Direction
from .schemas import compare as rules
from .side import Side
from .solver import Solver
from .subjects import Subject, identify


@dataclass(slots=True)
class Comparison:
    """`now` is what dates of sunset are measured by, in seconds of the epoch.

    `names` are those of the operation at hand, and `allowances` what its contract lets pass."""

    old: Side
    new: Side
    now: float
    solver: Solver = field(init=False)
    changes: list[Change] = field(default_factory=list)
    operation: str = ""
    names: tuple[str, ...] = ()
    allowances: tuple[Allowance, ...] = ()

    def __post_init__(self) -> None:
        self.about()
        self.solver = Solver(self.old, self.new, rules)

    def add(self, id: str, message: str, old: Node | Place, new: Node | Place) -> None:
        """A change of the operation at hand, or of none."""
        found = (a.reason for a in self.allowances if a.covers(id, self.names))
        places = _place(old), _place(new)
        self.changes.append(Change(id, message, self.operation, *places, allowed=next(found, "")))

    def about(self, *operations: Operation) -> None:
        """What follows is about an operation, in its old and its new form if it has both; without any, about the contract."""
        names = tuple(map(named, operations))
        self.operation, self.names = names[0] if names else "", names
        standing = of_document(self.new.root)
        self.allowances = (*of_operation(operations[1]), *standing) if len(operations) > 1 else standing

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
