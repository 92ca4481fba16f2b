"""`maximum`, `minLength` and the like: how much, how long, how many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from xds.contract.diff.form import Form
from xds.contract.diff.found import Findings, Issue, Two
from xds.contract.node import Node

_ROWS: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    # stem of the id, whether it is an upper bound, keywords
    ("max-length", True, ("maxLength",)),
    ("min-length", False, ("minLength",)),
    ("max-items", True, ("maxItems",)),
    ("min-items", False, ("minItems",)),
    ("max-properties", True, ("maxProperties",)),
    ("min-properties", False, ("minProperties",)),
    ("max-contains", True, ("maxContains",)),
    ("min-contains", False, ("minContains",)),
    ("max", True, ("maximum", "exclusiveMaximum")),
    ("min", False, ("minimum", "exclusiveMinimum")),
)
_NONE = {"min-length": 0, "min-items": 0, "min-properties": 0, "min-contains": 1}
"""What a bound says that is as good as none."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound, `exclusive` if its own value is beyond it."""

    value: float
    exclusive: bool
    node: Node


def bounds(two: Two) -> Findings:
    """Bounds that the reader has and the writer does not keep."""
    for stem, upper, keywords in _ROWS:
        wanted, kept = tightest(two.target, stem, upper, keywords), tightest(two.source, stem, upper, keywords)
        if wanted is None or (kept is not None and within(kept, wanted, upper)):
            continue
        if two.source.values is not None and all(_holds(wanted, stem, upper, v) for v in two.source.listed):
            continue
        name = stem.replace("max", "exclusive-max").replace("min", "exclusive-min") if wanted.exclusive else stem
        same = kept is not None and kept.exclusive == wanted.exclusive
        old, new = (kept, wanted) if two.request else (wanted, kept)
        verb = _verb(two.request, upper, same)
        words = f"{wanted.node.key} {_said(old)} became {_said(new)}" if same else _set(two.request, wanted)
        yield Issue(f"{name}-{verb}", words, old.node if old else None, new.node if new else None)


def _holds(bound: Bound, stem: str, upper: bool, value: Any) -> bool:
    """Whether a listed value keeps a bound, which says nothing of values of other types."""
    kind, measure = _MEASURES.get(stem.partition("-")[2], ((int, float), float))
    if not isinstance(value, kind) or isinstance(value, bool):
        return True
    size = measure(value)
    return (size == bound.value and not bound.exclusive) or (size < bound.value if upper else size > bound.value)


_MEASURES: dict[str, tuple[Any, Callable[[Any], float]]] = {
    "length": (str, len),
    "items": (list, len),
    "properties": (dict, len),
}


def _verb(request: bool, upper: bool, same: bool) -> str:
    if not same:
        return "set" if request else "unset"
    return "decreased" if request == upper else "increased"


def _set(request: bool, wanted: Bound) -> str:
    return f"{wanted.node.key} {wanted.node.value} " + ("is new" if request else "is gone")


def _said(bound: Bound | None) -> str:
    return "none" if bound is None else str(bound.node.value if _is_number(bound.node) else bound.value)


def within(kept: Bound, wanted: Bound, upper: bool) -> bool:
    """Whether one bound is as tight as the other."""
    if kept.value == wanted.value:
        return kept.exclusive or not wanted.exclusive
    return kept.value < wanted.value if upper else kept.value > wanted.value


def tightest(form: Form, stem: str, upper: bool, keywords: tuple[str, ...]) -> Bound | None:
    """The tightest bound of all the schemas, for a stem of an id with its keywords."""
    found: Bound | None = None
    for bound in _bounds(form, keywords):
        if bound.value == _NONE.get(stem):
            continue
        if found is None or not within(found, bound, upper):
            found = bound
    return found


def _bounds(form: Form, keywords: tuple[str, ...]) -> Iterator[Bound]:
    for keyword in keywords:
        for node in form.told(keyword):
            if not _is_number(node):
                continue
            exclusive = keyword.startswith("exclusive") or (form.draft4 and _made_exclusive(node))
            value = node.value
            if exclusive and form.types & {"number", "integer"} == {"integer"} and _whole(value):
                value, exclusive = (value - 1, False) if keyword.endswith("aximum") else (value + 1, False)
            yield Bound(value, exclusive, node)


def _whole(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def _made_exclusive(node: Node) -> bool:
    """OpenAPI 3.0: `exclusiveMaximum: true` beside `maximum`."""
    other = "exclusiveMaximum" if node.key == "maximum" else "exclusiveMinimum"
    return node.key in ("maximum", "minimum") and node.parent is not None and node.parent.value.get(other) is True


def _is_number(node: Node) -> bool:
    return isinstance(node.value, (int, float)) and not isinstance(node.value, bool)


def multiples(two: Two) -> Findings:
    """`multipleOf`: every number of the writer's must be one of the reader's."""
    kept = [node for node in two.source.told("multipleOf") if _is_number(node) and node.value > 0]
    for wanted in two.target.told("multipleOf"):
        if not _is_number(wanted) or wanted.value <= 0 or any(_divides(wanted.value, node.value) for node in kept):
            continue
        if two.source.values is not None and all(_multiple(v, wanted.value) for v in two.source.listed):
            continue
        if wanted.value == 1 and "number" not in two.source.types:
            continue
        verb = "changed" if kept else "set" if two.request else "unset"
        other = kept[0] if kept else None
        old, new = (other, wanted) if two.request else (wanted, other)
        words = f"multipleOf {old.value if old else 'none'} became {new.value if new else 'none'}"
        yield Issue(f"multiple-of-{verb}", words, old, new)


def _multiple(value: Any, of: float) -> bool:
    return isinstance(value, bool) or not isinstance(value, (int, float)) or _divides(of, value)


def _divides(part: float, whole: float) -> bool:
    """By the decimals as they are written: 0.1 divides 0.3."""
    return Fraction(str(whole)) % Fraction(str(part)) == 0
