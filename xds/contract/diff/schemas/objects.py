"""`additionalProperties` and its kin: members of an object that no name describes."""

from __future__ import annotations

from xds.contract.diff.form import Form
from xds.contract.diff.found import Findings, Issue, Part, Two
from xds.contract.node import Node


def others(two: Two) -> Findings:
    """Properties without a description: refused now, or described in another way."""
    old, new = two.old.additional, two.new.additional
    if two.strict and (old or new) and "object" in two.source.types:
        yield Part("*", old, new)
    elif two.request and (_closed(new) or _left(two)) and not _closed(old):
        yield Issue("additional-properties-refused", "properties without a description are refused", _at(old), _at(new))
    elif not _closed(old) and not _closed(new) and (old or new) and "object" in two.source.types:
        yield Part("*", old, new)
    yield from unevaluated(two, "unevaluatedProperties", "unevaluated-properties")


def _left(two: Two) -> bool:
    """Whether `unevaluatedProperties` closes an object that `additionalProperties` has kept open."""
    kept, named = (next(form.told("additionalProperties"), None) for form in (two.old, two.new))
    closed = _closed(tuple(two.new.told("unevaluatedProperties")))
    return kept is not None and named is None and closed and bool(_told(two.old, "unevaluatedProperties"))


def unevaluated(two: Two, keyword: str, stem: str) -> Findings:
    """`unevaluatedProperties` and `unevaluatedItems`."""
    old, new = _told(two.old, keyword), _told(two.new, keyword)
    if old and new:
        yield Part("*", old, new)
    elif two.request and new:
        yield Issue(f"{stem}-added", f"{keyword} is new", None, new[0])
    elif not two.request and old:
        yield Issue(f"{stem}-removed", f"{keyword} is gone", old[0], None)


def _told(form: Form, keyword: str) -> tuple[Node, ...]:
    return tuple(node for node in form.told(keyword) if node.value is not True and node.value != {})


def _closed(nodes: tuple[Node, ...]) -> bool:
    return any(node.value is False for node in nodes)


def _at(nodes: tuple[Node, ...]) -> Node | None:
    return nodes[0] if nodes else None


def patterned(two: Two) -> Findings:
    """`patternProperties`, pattern by pattern; where one side has none, what it says of any other property counts."""
    old, new = _patterns(two.old), _patterns(two.new)
    for pattern in dict.fromkeys((*old, *new)):
        before = tuple(old.get(pattern, ())) or two.old.additional
        after = tuple(new.get(pattern, ())) or two.new.additional
        if before and after:
            if pattern in old or two.request or two.strict or not _closed(before):
                yield Part(f"({pattern})", before, after)
        elif two.request and after:
            words = f"properties that match `{pattern}` have a schema now"
            yield Issue("pattern-property-added", words, None, after[0])
        elif not two.request and before:
            words = f"properties that match `{pattern}` have no schema any more"
            yield Issue("pattern-property-removed", words, before[0], None)


def _patterns(form: Form) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for members in form.told("patternProperties"):
        for pattern, node in members.members():
            found.setdefault(pattern, []).append(node)
    return found


def named(two: Two) -> Findings:
    """`propertyNames`."""
    old, new = _told(two.old, "propertyNames"), _told(two.new, "propertyNames")
    if old and new:
        yield Part("(names)", old, new)
    elif two.request and new:
        yield Issue("property-names-added", "names of properties have a schema now", None, new[0])
    elif not two.request and old:
        yield Issue("property-names-removed", "names of properties have no schema any more", old[0], None)


def dependent(two: Two) -> Findings:
    """`dependentRequired`: what must be there where something else is."""
    kept, wanted = _dependent(two.source), _dependent(two.target)
    for name, (names, node) in wanted.items():
        before, at = kept.get(name, (frozenset(), None))
        if names <= before:
            continue
        verb = "changed" if at is not None else "added" if two.request else "removed"
        missing = ", ".join(sorted(names - before))
        words = (
            f"where {name} is, {missing} must be too" if two.request else f"where {name} is, {missing} may be missing"
        )
        yield Issue(f"dependent-required-{verb}", words, *((at, node) if two.request else (node, at)))


def _dependent(form: Form) -> dict[str, tuple[frozenset[str], Node]]:
    found: dict[str, tuple[frozenset[str], Node]] = {}
    for listed in form.told("dependentRequired"):
        for name, node in listed.members():
            names = (
                frozenset(v for v in node.value if isinstance(v, str)) if isinstance(node.value, list) else frozenset()
            )
            found[name] = (found[name][0] | names if name in found else names, node)
    return found
