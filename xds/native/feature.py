"""Feature, Setting, Problem: what one key of `x-sidegate` is, what was written under it, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.diagnostics import Span
from xds.place import Place

if TYPE_CHECKING:
    from xds.model import Operation


@dataclass(frozen=True, slots=True)
class Setting:
    """A key's value as it was written, JSON that the key's schema takes, and where.

    `rule` is the definition of the compile-time rule that gave it, if one did.
    """

    value: Any
    place: Place
    rule: Span | None = None

    @property
    def of_document(self) -> bool:
        """Whether it stands in the root of a document, for all of it."""
        return self.rule is None and self.place.pointer.startswith("/x-sidegate/")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a setting. `pointer` (RFC 6901) leads from the setting's value to the part that is wrong."""

    message: str
    pointer: str = ""
    help: str | None = None
    code: str = "extension-value"


@dataclass(frozen=True, slots=True)
class Site:
    """What a setting may refer to outside its operation: the service's versions, and which gateway-wide things are there.

    `has` holds words for what sidegate.yaml configures, as `rateLimit`; a feature that needs one says so where it is not.
    """

    service: str
    version: str
    versions: tuple[str, ...] = ()
    has: frozenset[str] = frozenset()


def nothing_wrong(value: Any, operation: Operation, site: Site) -> Iterable[Problem]:
    """The check of a feature whose schema says all."""
    return ()


def nothing_wrong_with_all(value: Any, held: Sequence[Operation], near: Sequence[Operation]) -> Iterable[Problem]:
    """The check of a feature that asks nothing of the operations together."""
    return ()


def no_words(value: Any) -> str:
    """Nothing to say in `sidegate explain`."""
    return ""


@dataclass(frozen=True, slots=True)
class Feature:
    """One key of `x-sidegate` that Envoy carries out.

    `field` is the key's attribute of `Native`; `schema` a JSON Schema (2020-12) with a `description`; `read` makes of JSON
    that the schema takes a frozen, hashable value and never fails; `check` finds what no schema can say, given the value;
    `check_all`, asked once for a setting of the contract, what only several operations can: `held` are those that it holds for,
    `near` all of their paths. `said` is a word for `sidegate explain`, or empty to say nothing. A value that depends on where
    it was written has `read_setting` in the place of `read`.
    """

    key: str
    field: str
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]
    check: Callable[[Any, Operation, Site], Iterable[Problem]] = nothing_wrong
    check_all: Callable[[Any, Sequence[Operation], Sequence[Operation]], Iterable[Problem]] = nothing_wrong_with_all
    said: Callable[[Any], str] = no_words
    read_setting: Callable[[Setting], Any] | None = None
