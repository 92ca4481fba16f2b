"""`enum`, `const` and `x-extensible-enum`: values one by one."""

from __future__ import annotations

from xds.contract.diff.form import Form, canonical
from xds.contract.diff.found import Findings, Issue, Two
from xds.contract.node import Node

_SHOWN = 60


def enumerated(two: Two) -> Findings:
    """Values that the writer may send and the reader does not know."""
    allowed, known = two.source.values, two.target.values
    if known is None or _all_known(two, known):
        return
    if allowed is None:
        yield _bounded(two)
        return
    lost = {
        key: node for key, node in allowed.items() if key not in known and not (two.text and _as_text(key) in known)
    }
    if not lost:
        return
    if two.old.constant and two.new.constant:
        words = f"{_shown(two.old)} became {_shown(two.new)}"
        yield Issue("const-changed", words, next(two.old.told("const"), None), next(two.new.told("const"), None))
        return
    there = _listing(two.target)
    for key, node in lost.items():
        if two.request:
            yield Issue("enum-value-removed", f"the value {_cut(key)} is refused", node, there)
        else:
            yield Issue("enum-value-added", f"the value {_cut(key)} may come", there, node)


def _all_known(two: Two, known: dict[str, Node]) -> bool:
    """Whether an enumeration says nothing: both booleans, or null alone, where the types say no more."""
    bare = two.source.types - {"null"} == {"boolean"} or two.source.types == {"null"}
    return two.source.values is None and bare and _every(two.source.types) <= known.keys()


def _every(types: frozenset[str]) -> frozenset[str]:
    found = {"true", "false"} if "boolean" in types else set()
    return frozenset(found | ({"null"} if "null" in types else set()))


def _bounded(two: Two) -> Issue:
    """One of the two lists values and the other does not."""
    told = two.target
    constant = told.constant
    if two.request:
        what = "const-added" if constant else "became-enum"
        return Issue(what, f"only {_shown(told)} is taken now", None, _listing(told))
    what = "const-removed" if constant else "became-not-enum"
    return Issue(what, f"other values than {_shown(told)} may come", _listing(told), None)


def extensible(two: Two) -> Findings:
    """`x-extensible-enum` (Zalando's guidelines): values that a client may send; readers must expect others."""
    if not two.request:
        return
    old, new = _extensible(two.old), _extensible(two.new)
    for key, node in old.items():
        if new and key not in new:
            words = f"the value {_cut(key)} is not among those of x-extensible-enum any more"
            yield Issue("x-extensible-enum-value-removed", words, node, next(two.new.told("x-extensible-enum"), None))


def _extensible(form: Form) -> dict[str, Node]:
    return {canonical(item.value): item for listed in form.told("x-extensible-enum") for item in listed.items()}


def _listing(form: Form) -> Node | None:
    return next(form.told("const"), None) or next(form.told("enum"), None)


def _shown(form: Form) -> str:
    return _cut(", ".join(form.values or ()))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _as_text(key: str) -> str:
    return canonical(key)
