"""Names and prefixes -> the RE2 regex of every other name.

RE2 has no lookahead, and Envoy's lists of header patterns have no "except": "all but these" has to be spelled out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Node:
    """A trie node: `ends` if the text so far is an excluded name, `covers` if everything from here on is excluded."""

    children: dict[str, _Node] = field(default_factory=dict)
    ends: bool = False
    covers: bool = False


def all_but(exact: Iterable[str], prefixes: Iterable[str]) -> str:
    """The regex, for full matches, of every non-empty text that is none of `exact` and starts with none of `prefixes`."""
    root = _Node(ends=True)
    for name in exact:
        _walk(root, name).ends = True
    for prefix in prefixes:
        _walk(root, prefix).covers = True
    return _regex(root)


def _walk(node: _Node, text: str) -> _Node:
    for char in text:
        node = node.children.setdefault(char, _Node())
    return node


def _regex(node: _Node) -> str:
    open_children = {char: child for char, child in sorted(node.children.items()) if not child.covers}
    first = "".join(map(_escaped, sorted(node.children)))
    branches = [f"[^{first}].*" if first else ".+"]
    branches += [f"{_escaped(char)}{_regex(child)}" for char, child in open_children.items()]
    return f"(?:{'|'.join(branches)}){'' if node.ends else '?'}"


def _escaped(char: str) -> str:
    return char if char.isalnum() else f"\\{char}"
