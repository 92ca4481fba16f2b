"""`anyOf` and `oneOf`: every alternative of the writer's must be within one of the reader's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from xds.contract.diff.form import Form
from xds.contract.diff.found import Choice, Findings, Issue, Part, Two
from xds.contract.node import Node

_MOST = 64
"""Alternatives that several lists together may come to."""

Nodes = tuple[Node, ...]


def regrouped(two: Two) -> bool:
    """Whether the two have not the same number of lists, so that only whole alternatives can be compared."""
    return len(two.old.groups) != len(two.new.groups)


def groups(two: Two) -> Findings:
    """Lists of the same number, pair by pair."""
    for old, new in zip(two.old.groups, two.new.groups, strict=True):
        yield from _branches(two, old, new)


def _branches(two: Two, old: Node, new: Node) -> Findings:
    mine, theirs = list((old if two.request else new).items()), list((new if two.request else old).items())
    for index, branch in enumerate(mine):
        candidates = _candidates(branch, index, theirs)
        options = tuple((_part(two, (branch,), (other,)),) for other in candidates)
        twin = next((n for n in candidates[:1] if _alike(branch, n) or len(mine) == len(theirs)), None)
        words = f"an alternative of {(old if two.request else new).key} is " + ("gone" if two.request else "new")
        at = (branch, new) if two.request else (old, branch)
        plain = all(map(_is_type, (*mine, *theirs)))
        what = _types(two) if plain else _what(two, old if two.request else new)
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
    stem = "one-of" if group.key == "oneOf" else "any-of"
    return f"{stem}-{'removed' if two.request else 'added'}"


def _candidates(branch: Node, index: int, others: list[Node]) -> list[Node]:
    """The other side's alternatives, the likeliest first: of the same name, then at the same position."""
    ranked = sorted(enumerate(others), key=lambda each: (not _alike(branch, each[1]), each[0] != index, each[0]))
    return [node for _, node in ranked]


def _alike(one: Node, other: Node) -> bool:
    return _name(one) is not None and _name(one) == _name(other)


def _name(branch: Node) -> str | None:
    """What a reader calls an alternative: the last word of its reference, or its title."""
    value = branch.value if isinstance(branch.value, dict) else {}
    if isinstance(value.get("$ref"), str):
        return str(value["$ref"].rpartition("/")[2])
    return value["title"] if isinstance(value.get("title"), str) else None


def alternatives(two: Two) -> Findings:
    """Whole alternatives, where something became a list of them, or the other way round."""
    mine, theirs = _expanded(two.source), _expanded(two.target)
    if mine is None or theirs is None:
        yield Issue("not-comparable", f"there are more than {_MOST} alternatives", two.old.at, two.new.at)
        return
    if not two.source.groups and len(theirs) > 1:
        mine = [part for each in mine for part in _pieces(each, two.source)]
    for each in mine:
        options = tuple((_part(two, each, other),) for other in theirs)
        unwrapped = len(two.old.groups) > len(two.new.groups)
        yield Choice(options, _issue(two), options[0] if unwrapped and len(theirs) == 1 else ())


def _issue(two: Two) -> Issue:
    source, target = two.source, two.target
    changed = source if len(source.groups) > len(target.groups) else target
    group = changed.groups[-1]
    if changed is two.old:
        words = f"an alternative of {group.key} is " + ("gone" if two.request else "new")
        return Issue(_what(two, group), words, two.old.at, two.new.at)
    stem = "one-of" if group.key == "oneOf" else "any-of"
    return Issue(f"wrapped-in-{stem}", f"it became a choice ({group.key})", two.old.at, two.new.at)


def _expanded(form: Form) -> list[Nodes] | None:
    """Every combination of a branch of each list with the rest; None if there are too many."""
    count = 1
    for group in form.groups:
        count *= len(group.value)
    if count > _MOST:
        return None
    rest = tuple(_Rest.of(node, form) for node in form.nodes)
    return [(*rest, *branches) for branches in product(*(list(group.items()) for group in form.groups))]


class _Rest:
    """A schema without its lists of alternatives; the same object each time, so that what it is part of is compared once."""

    @staticmethod
    def of(node: Node, form: Form) -> Node:
        if type(node.value) is not dict or not {"anyOf", "oneOf"} & node.value.keys():
            return node
        kept = form.__dict__.setdefault("_rests", {})
        if id(node.value) not in kept:
            value = {key: item for key, item in node.value.items() if key not in ("anyOf", "oneOf", "allOf", "$ref")}
            kept[id(node.value)] = Node(value, node.file, node.parent, node.key)
        rest: Node = kept[id(node.value)]
        return rest


_TYPES = {name: {"type": name} for name in ("null", "boolean", "object", "array", "number", "integer", "string")}


def _pieces(nodes: Nodes, form: Form) -> Iterator[Nodes]:
    """A form in parts that are together the whole: by type, where it has several and says which."""
    types = form.types - {"integer"} if "number" in form.types else form.types
    if not form.typed or len(types) == 1:
        yield nodes
        return
    at = form.nodes[0]
    for name in sorted(types):
        yield (*nodes, Node(_TYPES[name], at.file, at.parent, at.key))
