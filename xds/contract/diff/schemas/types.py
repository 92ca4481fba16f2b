"""`type` and `nullable`: which kinds of values there are."""

from __future__ import annotations

from collections.abc import Iterable

from xds.contract.diff.form import Form, expanded
from xds.contract.diff.found import Findings, Issue, Two
from xds.contract.node import Node
from xds.contract.schemas.keywords import TYPES, types_of

_SCALARS = frozenset({"string", "number", "integer", "boolean"})


def impossible(two: Two) -> Issue:
    """Nothing is right any more that was right before (or, in a response, nothing was expected that may come now)."""
    if two.request or two.new.never:
        return Issue("schema-became-false", "no value at all is right any more", two.old.at, two.new.at)
    return Issue("schema-became-not-false", "it may be there now", two.old.at, two.new.at)


def possible(two: Two) -> Issue | None:
    """A response that promised something and can no longer bring anything."""
    return (
        None
        if two.request
        else Issue("schema-became-false", "no value at all is right any more", two.old.at, two.new.at)
    )


def kinds(two: Two) -> Findings:
    """Types that the writer may send and the reader does not take."""
    lost = _written(two.source) - two.target.types
    if two.text and "string" in two.target.types:
        lost -= _SCALARS  # as text, a number is a string too
    if not lost:
        return
    places = _place(two.old), _place(two.new)
    if lost == {"null"} and (two.source.typed or two.source.values is not None):
        what, words = (
            ("became-not-nullable", "null is refused") if two.request else ("became-nullable", "it may be null")
        )
        yield Issue(what, words, *places)
        return
    words = f"{_named(two.old)} became {_named(two.new)}"
    yield Issue(_what(two), words, *places)


def _written(form: Form) -> frozenset[str]:
    """The types of what is written: those of the values, where they are listed. A whole number is an integer then."""
    if form.values is None:
        return form.types
    found = {kind for node in form.values.values() for kind in types_of(node.value)[:1]}
    return form.types & found


def _what(two: Two) -> str:
    old, new = two.old.types - {"null"}, two.new.types - {"null"}
    if two.request:
        return "type-specialized"
    return "type-generalized" if old < new and two.new.typed else "type-changed"


def _least(types: Iterable[str]) -> frozenset[str]:
    """Types without those that others imply."""
    found = frozenset(types)
    return found - {"integer"} if "number" in found else found


def _named(form: Form) -> str:
    if form.types == expanded(TYPES):
        return "any type"
    return " or ".join(sorted(_least(form.types))) or "nothing"


def _place(form: Form) -> Node | None:
    for keyword in ("type", "enum", "const"):
        if (node := next(form.told(keyword), None)) is not None:
            return node
    return form.at
