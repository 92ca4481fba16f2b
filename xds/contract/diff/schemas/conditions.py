"""`not`, `if` and `dependentSchemas`: what holds under a condition."""

from __future__ import annotations

from functools import partial

from xds.contract.diff.fingerprint import fingerprint, matched
from xds.contract.diff.form import Form
from xds.contract.diff.found import Choice, Findings, Issue, Part, Two
from xds.contract.node import Node

from .apart import apart


def nots(two: Two) -> Findings:
    """What the reader refuses, the writer must refuse too: each `not` must lie within one of the other's."""
    wanted, kept = tuple(two.target.told("not")), tuple(two.source.told("not"))
    for mine in wanted:
        if apart(two.source, two.target.of((mine,))):
            continue
        pairs = [(other, mine) if two.request else (mine, other) for other in kept]
        options = tuple((Part(None, (old,), (new,), turned=True),) for old, new in pairs)
        verb = "changed" if kept else "added" if two.request else "removed"
        words = "it must not match something now" if two.request else "it may match what was excluded"
        other = kept[0] if kept else None
        old, new = (other, mine) if two.request else (mine, other)
        yield Choice(options, Issue(f"not-{verb}", words, old, new))


def ifs(two: Two) -> Findings:
    """`if`, `then` and `else` of the same schema belong together; those with the same content are compared, then those with the
    same condition, the others in the order of the text."""
    old, new = _conditions(two.old), _conditions(two.new)
    several = len(old) > 1 or len(new) > 1
    kinds = (partial(_equal, two), partial(_same_if, two)) if several else ()
    pairs = matched(old, new, *kinds, lambda before, after: True)
    for at, index in sorted(pairs.items()):
        yield from _condition(two, old[index], new[at])
    known = set(pairs) if two.request else set(pairs.values())
    for left in (each for at, each in enumerate(new if two.request else old) if at not in known):
        for keyword in ("if", "then", "else"):
            if (node := left.get(keyword)) is not None:
                yield _issue(two, keyword, node)


def _equal(two: Two, old: Node, new: Node) -> bool:
    one = fingerprint(old, two.old)
    return one is not None and one == fingerprint(new, two.new)


def _same_if(two: Two, old: Node, new: Node) -> bool:
    before, after = old.get("if"), new.get("if")
    return before is not None and after is not None and _equal(two, before, after)


def _issue(two: Two, keyword: str, node: Node) -> Issue:
    if two.request:
        return Issue(f"{keyword}-added", f"`{keyword}` is new", None, node)
    return Issue(f"{keyword}-removed", f"`{keyword}` is gone", node, None)


def _condition(two: Two, old: Node, new: Node) -> Findings:
    before, after = old.get("if"), new.get("if")
    if before is not None and after is not None:
        same = (Part(None, (before,), (after,)), Part(None, (before,), (after,), turned=True))
        yield Choice((same,), Issue("if-changed", "the condition `if` is another", before, after))
    for keyword in ("then", "else"):
        first, second = old.get(keyword), new.get(keyword)
        if first is not None and second is not None:
            yield Part(None, (first,), (second,))
        elif (mine := second if two.request else first) is not None:
            yield _issue(two, keyword, mine)


def _conditions(form: Form) -> list[Node]:
    found = [node.parent for node in form.told("if")]
    return [node for node in found if node is not None and ("then" in node.value or "else" in node.value)]


def dependents(two: Two) -> Findings:
    """`dependentSchemas`, name by name."""
    old, new = _dependents(two.old), _dependents(two.new)
    for name in dict.fromkeys((*old, *new)):
        before, after = tuple(old.get(name, ())), tuple(new.get(name, ()))
        if before and after:
            yield Part(None, before, after)
        elif two.request and after:
            yield Issue("dependent-schema-added", f"where {name} is, a schema holds now", None, after[0])
        elif not two.request and before:
            yield Issue("dependent-schema-removed", f"where {name} is, a schema holds no more", before[0], None)


def _dependents(form: Form) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for listed in form.told("dependentSchemas"):
        for name, node in listed.members():
            found.setdefault(name, []).append(node)
    return found
