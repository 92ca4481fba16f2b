"""YAML text -> blocks that are read one by one, so that a change to one path reads one path again.

Only the layout that everybody writes is taken apart: `paths:` at the left margin, its keys below it at one indentation. Each
block begins where the parser would expect a key of `paths`, so it reads the same alone as in its place; what does not, such
as an alias to an anchor in another block or a quotation across the border, fails to parse alone, and the whole text is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from . import yamltext
from .limits import MAX_NODES, Refusal
from .members import Members

_SECTION = b"\npaths:\n"
_FIRST = re.compile(rb"(?:[ ]*(?:#[^\n]*)?\n)*([ ]+)/")
_END = re.compile(rb"\n[^ \n#]")
_WORTH = 64 * 1024


@dataclass(frozen=True, slots=True)
class Split:
    """`head` is the text without its part from `start` to `end`, which holds the keys of `paths`, each a block."""

    head: bytes
    blocks: tuple[bytes, ...]
    start: int
    end: int


@dataclass(slots=True)
class Blocks:
    """Values of the blocks that one file was last made of; if it is JSON, of its members."""

    values: dict[bytes, tuple[Any, int]] = field(default_factory=dict)
    members: Members = field(default_factory=Members)


def split(data: bytes) -> Split | None:
    """The text's blocks, or None if it is short or laid out otherwise."""
    return _split(data) if len(data) > _WORTH else None


@lru_cache(maxsize=4)
def _split(data: bytes) -> Split | None:
    at = data.find(_SECTION) if b"\r" not in data else -1
    if at < 0:
        return None
    start = at + len(_SECTION)
    first = _FIRST.match(data, start)
    if first is None:
        return None
    end_match = _END.search(data, start - 1)
    end = end_match.start() + 1 if end_match is not None else len(data)
    separator = b"\n" + first[1] + b"/"
    pieces = data[first.start(1) + len(separator) - 1 : end].split(separator)
    lead = separator[1:]
    begin = first.start(1)
    return Split(data[:begin] + data[end:], tuple(lead + piece + b"\n" for piece in pieces), begin, end)


def value(data: bytes, known: Blocks) -> Any:
    """As `yamltext.value`, reading again only blocks that are not `known`, which is brought up to date."""
    parts = split(data)
    if parts is None:
        return yamltext.value(data)
    try:
        return _joined(parts, known)
    except Refusal:
        return yamltext.value(data)  # which finds the place of what is wrong, or that nothing is


def _joined(parts: Split, known: Blocks) -> Any:
    fresh: dict[bytes, tuple[Any, int]] = {}
    paths: dict[str, Any] = {}
    nodes = keys = 0
    get = known.values.get
    for block in (parts.head, *parts.blocks):
        found = get(block)
        if found is None:
            found = yamltext.counted(block, depth=0 if block is parts.head else 1)
        fresh[block] = found
        nodes += found[1]
        if block is not parts.head:
            if type(found[0]) is not dict:
                raise Refusal("yaml-syntax", "not a mapping")
            keys += len(found[0])
            paths.update(found[0])
    root = fresh[parts.head][0]
    if keys != len(paths) or nodes > MAX_NODES or type(root) is not dict or root.get("paths", root) is not None:
        raise Refusal("yaml-syntax", "to be read as a whole")
    known.values = fresh
    return {key: paths if key == "paths" else member for key, member in root.items()}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text to look for a `pointer` in: lines after `line` of the piece stand `shift` lines further down."""

    text: bytes
    pointer: str
    line: int
    shift: int


def find(data: bytes, pointer: str) -> Part | None:
    """The part of a text that a pointer lies in, or None if only the whole text can tell."""
    parts = split(data)
    if parts is None:
        return None
    if not pointer.startswith("/paths/"):
        before = data.count(b"\n", 0, parts.start)
        return Part(
            parts.head, pointer, parts.head.count(b"\n", 0, parts.start), data.count(b"\n", 0, parts.end) - before
        )
    escaped = pointer[len("/paths/") :].partition("/")[0]
    first = parts.blocks[0]
    indentation = first[: len(first) - len(first.lstrip(b" "))]
    start = indentation + escaped.replace("~1", "/").replace("~0", "~").encode() + b":"
    offset = parts.start
    for block in parts.blocks:
        if block.startswith(start):
            return Part(block, pointer[len("/paths") :], 0, data.count(b"\n", 0, offset))
        offset += len(block)
    return None
