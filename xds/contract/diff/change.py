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
    allowed: str = ""
    """Why the new contract lets it pass, if it does."""

    @property
    def told(self) -> str:
        """The message with the operation that it is about."""
        if not self.operation or self.operation in self.message:
            return self.message
        more = len(self.others)
        also = f" (and {more} more operation{'s' if more > 1 else ''})" if more else ""
        return f"{self.operation}{also}: {self.message}"

    @property
    def operations(self) -> tuple[str, ...]:
        return (self.operation, *self.others)
