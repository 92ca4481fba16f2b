"""`anyOf` and `oneOf`: every alternative of the writer's must be within one of the reader's."""

from __future__ import annotations

from functools import partial

from xds.contract.diff.fingerprint import fingerprint, matched
from xds.contract.diff.found import Choice, Findings, Issue, Part, Two
from xds.contract.node import Node

from .branches import MOST, Nodes, alike, branches, combinations, pieces, stem
from .exclusive import overlapping


def regrouped(two: Two) -> bool:
    """Whether the two have not the same number of lists, so that only whole alternatives can be compared."""
    return len(two.old.groups) != len(two.new.groups)


def groups(two: Two) -> Findings:
    """Lists of the same number, pair by pair: those with the same content, then of the same kind, then in their order."""
    sources, targets = two.source.groups, two.target.groups
    kinds = (partial(_equal, two), _same_keyword) if len(sources) > 1 else ()
    for at, index in sorted(matched(sources, targets, *kinds, _any).items()):
        yield from _branches(two, sources[index], targets[at])
        yield from overlapping(two, [sources[index]], targets[at])


def _equal(two: Two, source: Node, target: Node) -> bool:
    one = fingerprint(source, two.source)
    return source.key == target.key and one is not None and one == fingerprint(target, two.target)


def _same_keyword(source: Node, target: Node) -> bool:
    return source.key == target.key


def _any(source: Node, target: Node) -> bool:
    return True


def _branches(two: Two, source: Node, target: Node) -> Findings:
    mine, theirs = branches(two.source, source, True), branches(two.target, target, False)
    plain = all(_is_type(branch[0]) for branch in (*mine, *theirs))
    what = _types(two) if plain else _what(two, source)
    words = f"an alternative of {source.key} is " + ("gone" if two.request else "new")
    for index, branch in enumerate(mine):
        candidates = _candidates(branch, index, theirs)
        options = tuple((_part(two, branch, other),) for other in candidates)
        twin = next((n for n in candidates[:1] if alike(branch, n) or len(mine) == len(theirs)), None)
        at = (branch[0], target) if two.request else (target, branch[0])
        yield Choice(options, Issue(what, words, *at), options[0] if twin and not plain else ())


def _part(two: Two, mine: Nodes, theirs: Nodes) -> Part:
    return Part(None, mine, theirs) if two.request else Part(None, theirs, mine)


def _is_type(branch: Node) -> bool:
    """Whether an alternative says nothing but a type: then the list is one of types."""
    value = branch.value
    return isinstance(value, dict) and "type" in value and value.keys() <= {"type", "title", "description"}


def _types(two: Two) -> str:
    return "list-of-types-narrowed" if two.request else "list-of-types-widened"


def _what(two: Two, group: Node) -> str:
    return f"{stem(group)}-{'removed' if two.request else 'added'}"


def _candidates(branch: Nodes, index: int, others: list[Nodes]) -> list[Nodes]:
    """The other side's alternatives, the likeliest first: of the same name, then at the same position."""
    ranked = sorted(enumerate(others), key=lambda each: (not alike(branch, each[1]), each[0] != index, each[0]))
    return [nodes for _, nodes in ranked]


def alternatives(two: Two) -> Findings:
    """Whole alternatives, where something became a list of them, or the other way round."""
    mine, theirs = combinations(two.source, True), combinations(two.target, False)
    if mine is None or theirs is None:
        yield Issue("not-comparable", f"there are more than {MOST} alternatives", two.old.at, two.new.at)
        return
    if not two.source.groups and len(theirs) > 1:
        mine = [part for each in mine for part in pieces(each, two.source)]
    for each in mine:
        options = tuple((_part(two, each, other),) for other in theirs)
        unwrapped = len(two.old.groups) > len(two.new.groups)
        yield Choice(options, _issue(two), options[0] if unwrapped and len(theirs) == 1 else ())
    for group in two.target.groups:
        yield from overlapping(two, two.source.groups, group)


def _issue(two: Two) -> Issue:
    source, target = two.source, two.target
    changed = source if len(source.groups) > len(target.groups) else target
    group = changed.groups[-1]
    if changed is two.old:
        words = f"an alternative of {group.key} is " + ("gone" if two.request else "new")
        return Issue(_what(two, group), words, two.old.at, two.new.at)
    return Issue(f"wrapped-in-{stem(group)}", f"it became a choice ({group.key})", two.old.at, two.new.at)
