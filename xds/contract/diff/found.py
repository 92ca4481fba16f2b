"""What the rules for schemas find: issues, pairs of schemas to compare further, and choices among such pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xds.contract.node import Node

from .change import Direction
from .form import Form


@dataclass(frozen=True, slots=True)
class Two:
    """Two forms of one value, the old and the new. `text` says that the value is written as plain text (a parameter).

    `strict` asks whether each value of the source is one of the target, and nothing else: what is excluded somewhere (by `not`,
    by another alternative of `oneOf`) must not take in more, not even what is no change of a contract that is read by people.
    """

    old: Form
    new: Form
    direction: Direction
    text: bool = False
    strict: bool = False

    @property
    def request(self) -> bool:
        return self.direction is Direction.REQUEST

    @property
    def source(self) -> Form:
        """The form that the writer of a value goes by: a client's old contract, a service's new one."""
        return self.old if self.request else self.new

    @property
    def target(self) -> Form:
        """The form that the reader of a value expects: whatever the source allows must be allowed by it."""
        return self.new if self.request else self.old


@dataclass(frozen=True, slots=True)
class Issue:
    """A change that breaks. `what` is a row of `ROWS`, `words` what is different; `old` and `new` are its places, None where
    the two forms stand. `step` is the property that it is about, if it is about one of the value's own."""

    what: str
    words: str
    old: Node | None = None
    new: Node | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Schemas to compare in both contracts, applied to what `step` leads to (None: the same value)."""

    step: str | None
    old: tuple[Node, ...]
    new: tuple[Node, ...]
    turned: bool = False
    """Whether the direction turns around, as inside `not`; it is strict from there on."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Options of which one must be without issues; each is a tuple of parts, and all of them count.

    Where none is, `shown` is the option whose issues are reported, or `issue` if there is none to be shown.
    """

    options: tuple[tuple[Part, ...], ...]
    issue: Issue
    shown: tuple[Part, ...] = ()


Found = Issue | Part | Choice
Findings = Iterator[Found]
