"""Node: a value of a document that knows its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xds.model import Place
from xds.source.pointer import escape

_NONE: Any = object()


class Node:
    """One value in a file. The pointer is put together only when asked for, since most values are never complained of."""

    __slots__ = ("_pointer", "file", "key", "parent", "value")

    def __init__(self, value: Any, file: str, parent: Node | None = None, key: str | int = "") -> None:
        self.value, self.file, self.parent, self.key = value, file, parent, key
        self._pointer: str | None = None

    @property
    def pointer(self) -> str:
        """The RFC 6901 pointer of the value in its file."""
        if self._pointer is None:
            above, key = self.parent, self.key
            text = escape(key) if isinstance(key, str) else str(key)
            self._pointer = "" if above is None else f"{above.pointer}/{text}"
        return self._pointer

    @property
    def place(self) -> Place:
        return Place(self.file, self.pointer)

    def get(self, key: str) -> Node | None:
        """The member of that name, if the value is a mapping and has one."""
        value = self.value.get(key, _NONE) if type(self.value) is dict else _NONE
        return None if value is _NONE else Node(value, self.file, self, key)

    def members(self) -> Iterator[tuple[str, Node]]:
        """The members of a mapping in the order of the text; nothing for any other value."""
        if type(self.value) is dict:
            for key, value in self.value.items():
                yield key, Node(value, self.file, self, key)

    def items(self) -> Iterator[Node]:
        """The items of a list; nothing for any other value."""
        if type(self.value) is list:
            for index, value in enumerate(self.value):
                yield Node(value, self.file, self, index)
