"""Forms -> whether no value at all can be of all of them, as far as that shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from xds.contract.diff.form import Form
from xds.contract.schemas.keywords import types_of

from .bounds import Bound, tightest, within

_DEPTH = 4
"""How deep members are looked into: discriminators stand near the surface."""


def apart(*forms: Form) -> bool:
    """True only if it is sure. The forms may be of different contracts; lists of alternatives in them are not looked into."""
    return _apart(forms, _DEPTH)


def _apart(forms: Sequence[Form], depth: int) -> bool:
    if any(form.never for form in forms):
        return True
    types = frozenset.intersection(*(form.types for form in forms))
    left = _values(forms)
    if left is not None:
        types &= {kind for value in left for kind in types_of(value)}
    return all(_impossible(kind, forms, depth) for kind in types)


def _values(forms: Sequence[Form]) -> list[object] | None:
    """The values that all of the enumerations have, None if there are none."""
    listed = [form.values for form in forms if form.values is not None]
    if not listed:
        return None
    keys = reduce(frozenset[str].intersection, (frozenset(each) for each in listed[1:]), frozenset(listed[0]))
    return [listed[0][key].value for key in keys]


def _impossible(kind: str, forms: Sequence[Form], depth: int) -> bool:
    if kind == "object":
        return depth > 0 and any(_unmet(name, forms, depth - 1) for name in _required(forms))
    return any(_crossed(forms, *row) for row in _BOUNDS.get(kind, ()))


_NUMBER = (("max", ("maximum", "exclusiveMaximum")), ("min", ("minimum", "exclusiveMinimum")))
_BOUNDS = {
    "string": ((("max-length", ("maxLength",)), ("min-length", ("minLength",))),),
    "array": ((("max-items", ("maxItems",)), ("min-items", ("minItems",))),),
    "number": (_NUMBER,),
    "integer": (_NUMBER,),
}


def _crossed(forms: Sequence[Form], upper: tuple[str, tuple[str, ...]], lower: tuple[str, tuple[str, ...]]) -> bool:
    """Whether the greatest of the lower bounds is beyond the least of the upper ones."""
    highs = [found for form in forms if (found := tightest(form, upper[0], True, upper[1])) is not None]
    lows = [found for form in forms if (found := tightest(form, lower[0], False, lower[1])) is not None]
    if not highs or not lows:
        return False
    high, low = reduce(_lower, highs), reduce(_higher, lows)
    return low.value > high.value or (low.value == high.value and (low.exclusive or high.exclusive))


def _lower(one: Bound, other: Bound) -> Bound:
    return one if within(one, other, True) else other


def _higher(one: Bound, other: Bound) -> Bound:
    return one if within(one, other, False) else other


def _required(forms: Sequence[Form]) -> list[str]:
    return list(dict.fromkeys(name for form in forms for name in form.required))


def _unmet(name: str, forms: Sequence[Form], depth: int) -> bool:
    """Whether a property that must be there can have no value. One that only one direction has, need not be there."""
    members = [form.of(form.member(name)) for form in forms]
    if any(member.has("readOnly") or member.has("writeOnly") for member in members):
        return False
    return _apart(members, depth)
