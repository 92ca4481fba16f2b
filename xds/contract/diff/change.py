"""Change: what is different between two contracts and breaks clients, with its place in both."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from xds.model import Place


class Direction(Enum):
    """Who writes what a schema describes. What a client writes may only be asked less of, what it reads only promise more."""

    REQUEST = "request"
    RESPONSE = "response"

    @property
    def other(self) -> Direction:
        return Direction.RESPONSE if self is Direction.REQUEST else Direction.REQUEST


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `id` is a row of `CHANGES`; `old` and `new` are its places in the two contracts: of something that is only in
    one of them, the other place is where it is missing. `operation` is `GET /v1/pets/{id}` as the old contract has it, or
    empty for what belongs to no operation."""

    id: str
    message: str
    operation: str
    old: Place
    new: Place
    others: tuple[str, ...] = field(default=())
    """Further operations that the same change breaks, where it stands in something they share."""

    @property
    def operations(self) -> tuple[str, ...]:
        return (self.operation, *self.others)
