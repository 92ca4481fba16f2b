"""`anyOf` or `oneOf` of a form -> its alternatives, each with what a discriminator asks of it (`discriminator.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from xds.contract.diff.form import Form
from xds.contract.node import Node
from xds.contract.report import Report
from xds.contract.schemas.discriminator import implicit_name

MOST = 64
"""Alternatives that several lists together may come to."""

Nodes = tuple[Node, ...]


def branches(form: Form, group: Node, writer: bool) -> list[Nodes]:
    """The alternatives of one list. A discriminator takes each by its schema's name and by what `mapping` calls it; whoever
    writes is taken to go by the mapping, where that has a word for the schema."""
    plain: list[Nodes] = [(node,) for node in group.items()]
    about = group.parent.get("discriminator") if group.parent is not None else None
    property_ = about.value.get("propertyName") if about is not None and type(about.value) is dict else None
    references = [_reference(branch) for branch in group.items()]
    if about is None or not isinstance(property_, str) or not all(references) or _shadowed(group):
        return plain
    key = ("named", id(group.value), writer)
    if key not in form.made:  # the same values each time, so that what they are part of is compared once
        known = _names(form, about, references)
        asked = (sorted(mapped if writer and mapped else own | mapped) for own, mapped in known)
        form.made[key] = [_asking(property_, values) for values in asked]
    schemas = (Node(value, about.file, about.parent, about.key) for value in form.made[key])
    return [(*branch, schema) for branch, schema in zip(plain, schemas, strict=True)]


def _shadowed(group: Node) -> bool:
    """A discriminator beside both lists decides for `oneOf`."""
    return group.key == "anyOf" and group.parent is not None and "oneOf" in group.parent.value


def _asking(name: str, values: list[str]) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"enum": values}}}


def _reference(branch: Node) -> str:
    text = branch.value.get("$ref") if type(branch.value) is dict else None
    return text if isinstance(text, str) else ""


def _names(form: Form, about: Node, references: list[str]) -> list[tuple[set[str], set[str]]]:
    """By which names each alternative is asked for: its own, and those that `mapping` gives it."""
    own = {implicit_name(text): index for index, text in enumerate(references)}
    targets = [form.library.resolve(about, text, Report()) for text in references]
    mapped: dict[str, int] = {}
    mapping = about.get("mapping")
    for name, node in mapping.members() if mapping is not None else ():
        index = own.get(node.value) if isinstance(node.value, str) else None
        if index is None and isinstance(node.value, str):
            target = form.library.resolve(node, node.value, Report())
            found = (i for i, each in enumerate(targets) if target and each and each.value is target.value)
            index = next(found, None)
        if index is not None:
            mapped[name] = index
    free = {name: index for name, index in own.items() if name not in mapped}
    return [(_of(free, index), _of(mapped, index)) for index in range(len(references))]


def _of(names: Mapping[str, int], index: int) -> set[str]:
    return {name for name, at in names.items() if at == index}


_STRUCTURE = frozenset({"anyOf", "oneOf", "allOf", "$ref", "$dynamicRef"})


def rest(node: Node, form: Form) -> Node:
    """A schema without its lists of alternatives, and without what leads to other schemas, since a form has those beside it;
    the same object each time, so that what it is part of is compared once."""
    if type(node.value) is not dict or not _STRUCTURE & node.value.keys():
        return node
    key = ("rest", id(node.value))
    if key not in form.made:
        form.made[key] = {k: v for k, v in node.value.items() if k not in _STRUCTURE}
    return Node(form.made[key], node.file, node.parent, node.key)


def combinations(form: Form, writer: bool) -> list[Nodes] | None:
    """Every combination of an alternative of each list with the rest; None if there are too many."""
    count = 1
    for group in form.groups:
        count *= len(group.value)
    if count > MOST:
        return None
    lists = [branches(form, group, writer) for group in form.groups]
    return [(*common(form), *(node for branch in chosen for node in branch)) for chosen in product(*lists)]


def common(form: Form) -> Nodes:
    """What is said beside the lists of alternatives."""
    return tuple(rest(node, form) for node in form.nodes)


def stem(group: Node) -> str:
    """What ids call a list."""
    return "one-of" if group.key == "oneOf" else "any-of"


def name(branch: Node) -> str | None:
    """What a reader calls an alternative: the last word of its reference, or its title."""
    value = branch.value if isinstance(branch.value, dict) else {}
    if isinstance(value.get("$ref"), str):
        return str(value["$ref"].rpartition("/")[2])
    return value["title"] if isinstance(value.get("title"), str) else None


def alike(one: Nodes, other: Nodes) -> bool:
    """Whether two alternatives have the same name."""
    return name(one[0]) is not None and name(one[0]) == name(other[0])


_TYPES = {name: {"type": name} for name in ("null", "boolean", "object", "array", "number", "integer", "string")}


def pieces(nodes: Nodes, form: Form) -> Iterator[Nodes]:
    """A form in parts that are together the whole: by type, where it has several and says which."""
    types = form.types - {"integer"} if "number" in form.types else form.types
    if not form.typed or len(types) == 1:
        yield nodes
        return
    at = form.nodes[0]
    for each in sorted(types):
        yield (*nodes, Node(_TYPES[each], at.file, at.parent, at.key))
