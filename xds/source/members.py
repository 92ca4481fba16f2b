"""JSON text -> values that are read member by member, so that a change to one path reads one path again.

What begins with the very text that was read under its keys the last time has the value that it had: an object or a list ends
where its own text says, whatever follows. Only an object of objects is taken apart, two levels deep; of anything else, and of
anything that is wrong, the whole text is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from . import jsontext
from .limits import MAX_NODES, Refusal

_WORTH = 64 * 1024
_LEVELS_ABOVE = 2


@dataclass(frozen=True, slots=True)
class _Member:
    start: int
    end: int
    value: Any
    nodes: int


@dataclass(slots=True)
class Members:
    """The text that was last read, with the values in it: members of the document, and members of those."""

    text: str = ""
    inner: dict[tuple[str, str], _Member] = field(default_factory=dict)
    outer: dict[str, dict[str, Any]] = field(default_factory=dict)


def value(data: bytes, known: Members) -> Any:
    """As `jsontext.value`, reading again only what is not `known`, which is brought up to date."""
    if len(data) > _WORTH:
        try:
            return _Reading(jsontext.decoded(data), known).whole()
        except (*jsontext.BROKEN, StopIteration, IndexError, ValueError, Refusal):
            pass  # reading it whole finds the place of what is wrong, or that nothing is
    known.text, known.inner, known.outer = "", {}, {}
    return jsontext.value(data)


class _Reading:
    def __init__(self, text: str, known: Members) -> None:
        self.text, self.known = text, known
        self.fresh: dict[tuple[str, str], _Member] = {}
        self.nodes = 1

    def whole(self) -> Any:
        start = jsontext.after(self.text, 0)
        root, end = self._object(start, self._outer)
        if jsontext.after(self.text, end) != len(self.text) or self.nodes > MAX_NODES:
            raise ValueError("to be read as a whole")
        known = self.known
        known.text, known.inner = self.text, self.fresh
        known.outer = {key: member for key, member in root.items() if type(member) is dict}
        return root

    def _object(self, at: int, read: Callable[[str, int], tuple[Any, int]]) -> tuple[dict[str, Any], int]:
        """An object whose members something else reads, and where it ends."""
        text, after = self.text, jsontext.after
        found: dict[str, Any] = {}
        separator = "{"
        while text[at] == separator:
            at = after(text, at + 1)
            if separator == "{" and text[at] == "}":
                break
            if text[at] != '"':
                raise ValueError("a key is text")
            key, at = scanstring(text, at + 1, True)
            key.encode()
            at = after(text, at)
            if text[at] != ":" or key in found:
                raise ValueError("a key stands before a value, and once")
            found[key], at = read(key, after(text, at + 1))
            at = after(text, at)
            separator = ","
        if text[at] != "}":
            raise ValueError("an object ends")
        return found, at + 1

    def _outer(self, key: str, at: int) -> tuple[Any, int]:
        if self.text[at] != "{":
            return self._inner(key, "", at)
        self.nodes += 1
        found, end = self._object(at, lambda name, start: self._inner(key, f"/{name}", start))
        before = self.known.outer.get(key, {})
        alike = list(found) == list(before) and all(_alike(found[name], before[name]) for name in found)
        return before if alike and before else found, end

    def _inner(self, key: str, name: str, at: int) -> tuple[Any, int]:
        text, old = self.text, self.known.inner.get((key, name))
        if old is not None and text.startswith(self.known.text[old.start : old.end], at):
            member = _Member(at, at + old.end - old.start, old.value, old.nodes)
        else:
            found, end = jsontext.scan(text, at)
            levels = _LEVELS_ABOVE if name else _LEVELS_ABOVE - 1
            member = _Member(at, end, found, jsontext.measure(found, levels))
            jsontext.check_encodable(found, text[at:end])
        self.nodes += member.nodes
        if type(member.value) is dict or type(member.value) is list:  # a number may go on in what follows
            self.fresh[key, name] = member
        return member.value, member.end


def _alike(a: Any, b: Any) -> bool:
    """Whether two members are the same object, or scalars that are written alike."""
    return a is b or (type(a) is type(b) and type(a) not in (dict, list) and repr(a) == repr(b))
