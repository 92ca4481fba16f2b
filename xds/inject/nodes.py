"""YAML text <-> its nodes, changed in place: a scalar nobody touches is written as it was read.

Manifests are read by tools that disagree on `no`, `0644`, `1:30` and dates; nodes keep the text, so nothing is retyped.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml import MappingNode as Mapping
from yaml import Node
from yaml import SequenceNode as Sequence

from xds.failure import CannotRun

_MAX_NODES = 1_000_000


class _Reader(yaml.SafeLoader):
    """Plain scalars as Kubernetes reads them: no dates, no `=` of its own kind, and no numbers to the base of 60."""


_READ_AS_TEXT = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")

_READ_AS_TEXT_TOO = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


class _Number:
    """What YAML 1.1 takes for a number, but for those with colons."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern

    def match(self, text: str) -> re.Match[str] | None:
        return None if _READ_AS_TEXT.fullmatch(text) else self.pattern.match(text)


_Reader.yaml_implicit_resolvers = {
    first: [(tag, _Number(pattern)) for tag, pattern in rows if tag not in _READ_AS_TEXT_TOO]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Writer(yaml.SafeDumper):
    """Lists stand below their key without more indentation, as kubectl writes them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Writer.yaml_implicit_resolvers = _Reader.yaml_implicit_resolvers
_ELSEWHERE = re.compile(
    r"[yYnN]|0o[0-7_]+|[-+]?(\.[0-9]|[0-9])[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_:.]*"
)
"""Texts that Kubernetes (go-yaml), or another tool, takes for numbers or booleans where nothing marks them as texts."""


def _text(writer: yaml.SafeDumper, data: str) -> Node:
    style = "'" if _ELSEWHERE.fullmatch(data) else None
    return writer.represent_scalar("tag:yaml.org,2002:str", data, style)


_Writer.add_representer(str, _text)


def read(text: str) -> list[Node]:
    """The documents that are not empty, no part of one shared with another. Raises CannotRun if the text is no YAML."""
    try:
        found = [node for node in yaml.compose_all(text, _Reader) if node is not None]
    except yaml.YAMLError as error:
        raise CannotRun(f"the manifests are no YAML: {error}") from error
    left = [_MAX_NODES]
    return [_unshared(node, left) for node in found]


def write(nodes: list[Node]) -> str:
    """The documents, divided by `---`."""
    return "---\n".join(yaml.serialize(node, Dumper=_Writer, width=1_000, allow_unicode=True) for node in nodes)


def value(node: Node) -> Any:
    """What the node says, as Python values."""
    reader = _Reader("")
    try:
        return reader.construct_document(_unshared(node, [_MAX_NODES]))
    except (yaml.YAMLError, ValueError, TypeError) as error:  # the latter of `!!int x` and unhashable keys
        raise CannotRun(f"the manifests are no YAML: {error}") from error


def node(data: Any) -> Node:
    """A value as a node, in the block style."""
    made: Node = _Writer(io.StringIO(), default_flow_style=False, sort_keys=False).represent_data(data)
    return made


def get(parent: Node, key: str) -> Node | None:
    """The value under a key."""
    return next((value for name, value in _entries(parent) if name.value == key), None)


def put(parent: Node, key: str, child: Node) -> None:
    """Set a key's value: in its place, or at the end."""
    entries: list[tuple[Node, Node]] = parent.value
    for at, (name, _) in enumerate(entries):
        if name.value == key:
            entries[at] = (name, child)
            return
    entries.append((node(key), child))
    if isinstance(parent, Mapping):
        parent.flow_style = False


def drop(parent: Node, key: str) -> None:
    """Take a key away."""
    parent.value = [(name, value) for name, value in parent.value if name.value != key]


def mapping(parent: Node, key: str) -> Mapping:
    """The mapping under a key, made where there is none."""
    found = get(parent, key)
    if not isinstance(found, Mapping):
        found = Mapping("tag:yaml.org,2002:map", [], flow_style=False)
        put(parent, key, found)
    return found


def items(parent: Node | None, key: str) -> list[Node]:
    """The entries of the list under a key."""
    found = get(parent, key) if parent is not None else None
    return found.value if isinstance(found, Sequence) else []


def replace(parent: Node, key: str, entries: list[Node]) -> None:
    """Set the list under a key; without entries there is no key."""
    if entries:
        put(parent, key, Sequence("tag:yaml.org,2002:seq", entries, flow_style=False))
    else:
        drop(parent, key)


def text(parent: Node | None, key: str) -> str:
    """The scalar under a key, as written; empty where there is none."""
    found = get(parent, key) if parent is not None else None
    return found.value if isinstance(found, yaml.ScalarNode) else ""


def _entries(parent: Node) -> Iterator[tuple[Node, Node]]:
    if isinstance(parent, Mapping):
        yield from parent.value


def _unshared(node: Node, left: list[int]) -> Node:
    left[0] -= 1
    if left[0] < 0:
        raise CannotRun(f"the manifests have more than {_MAX_NODES} values with their aliases in place")
    if isinstance(node, Mapping):
        pairs = [(_unshared(name, left), _unshared(value, left)) for name, value in node.value]
        return Mapping(node.tag, pairs, node.start_mark, node.end_mark, node.flow_style)
    if isinstance(node, Sequence):
        inner = [_unshared(each, left) for each in node.value]
        return Sequence(node.tag, inner, node.start_mark, node.end_mark, node.flow_style)
    style = node.style if isinstance(node, yaml.ScalarNode) else None
    return yaml.ScalarNode(node.tag, node.value, node.start_mark, node.end_mark, style)
