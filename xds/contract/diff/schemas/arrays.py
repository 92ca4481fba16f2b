"""`items`, `prefixItems`, `contains`, `uniqueItems`: what is in a list."""

from __future__ import annotations

from xds.contract.diff.form import Form
from xds.contract.diff.found import Findings, Issue, Part, Two
from xds.contract.node import Node

from .objects import unevaluated


def items(two: Two) -> Findings:
    """Items without a position of their own."""
    old, new = _items(two.old), _items(two.new)
    if (old or new) and "array" in two.source.types:
        yield Part("items", old, new)
    yield from unevaluated(two, "unevaluatedItems", "unevaluated-items")


def _items(form: Form) -> tuple[Node, ...]:
    return tuple(node for node in form.told("items") if node.value is not True)


def positions(two: Two) -> Findings:
    """`prefixItems`, position by position."""
    old, new = _positions(two.old), _positions(two.new)
    for index in range(max(len(old), len(new))):
        before = tuple(old[index]) if index < len(old) else None
        after = tuple(new[index]) if index < len(new) else None
        if before is not None and after is not None:
            yield Part(str(index), before, after)
        elif before is None and after:
            yield Issue("prefix-items-added", f"position {index} has a schema of its own now", None, after[0])
        elif before:
            yield Issue("prefix-items-removed", f"position {index} has no schema of its own any more", before[0], None)


def _positions(form: Form) -> list[list[Node]]:
    found: list[list[Node]] = []
    for listed in form.told("prefixItems"):
        for index, node in enumerate(listed.items()):
            if index == len(found):
                found.append([])
            found[index].append(node)
    return found


def contained(two: Two) -> Findings:
    """`contains`."""
    old, new = tuple(two.old.told("contains")), tuple(two.new.told("contains"))
    if old and new:
        yield Part("(contained)", old, new)
    elif two.request and new:
        yield Issue("contains-added", "a list must contain something particular now", None, new[0])
    elif not two.request and old:
        yield Issue("contains-removed", "a list need not contain what it contained before", old[0], None)


def unique(two: Two) -> Findings:
    """`uniqueItems`."""
    wanted = next((node for node in two.target.told("uniqueItems") if node.value is True), None)
    if wanted is None or two.source.has("uniqueItems"):
        return
    if two.request:
        yield Issue("unique-items-set", "items must be different now", None, wanted)
    else:
        yield Issue("unique-items-unset", "items may be equal now", wanted, None)
