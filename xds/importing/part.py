"""Part: a value of a document that knows where it stands; Notes: what is said of such places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Diagnostic
from xds.source import Document
from xds.source.pointer import join


@dataclass(frozen=True, slots=True)
class Part:
    """A value inside a document. What is not there, or is of another type than asked for, is empty and never fails."""

    document: Document
    pointer: str
    value: Any

    def get(self, *keys: str) -> Part:
        """The value below some keys; None as its value if there is none. Its place is then that of what is there."""
        value, pointer = self.value, self.pointer
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return Part(self.document, pointer, None)
            value, pointer = value[key], join(pointer, key)
        return Part(self.document, pointer, value)

    @property
    def members(self) -> dict[str, Any]:
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> Iterator[tuple[str, Part]]:
        """The members of a mapping."""
        for key in self.members:
            yield key, self.get(key)

    def each(self) -> Iterator[Part]:
        """The items of a list; a single value that is no list is one item."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            yield self
            return
        for index, value in enumerate(self.value):
            yield Part(self.document, join(self.pointer, index), value)

    def texts(self) -> list[str]:
        return [part.value for part in self.each() if isinstance(part.value, str)]

    def text(self, *keys: str) -> str:
        value = self.get(*keys).value
        return value if isinstance(value, str) else ""

    def number(self, *keys: str) -> float | None:
        """A number, also one that was written as text, as AWS does in places."""
        value = self.get(*keys).value
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                return None
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def __bool__(self) -> bool:
        return self.value is not None


@dataclass(slots=True)
class Notes:
    """What was found on the way, each with its place in the export."""

    found: list[Diagnostic] = field(default_factory=list)

    def _say(self, code: str, part: Part, message: str, help: str | None) -> None:
        self.found.append(Diagnostic(code, message, part.document.span(part.pointer), help))

    def lost(self, part: Part, message: str, help: str | None = None) -> None:
        """Something has no equivalent."""
        self._say("import-no-equivalent", part, message, help)

    def left_out(self, part: Part, message: str, help: str | None = None) -> None:
        """A route is not in the contract."""
        self._say("import-left-out", part, message, help)

    def refused(self, part: Part, message: str, help: str | None = None) -> None:
        """Operations are refused by the policy until somebody has done something."""
        self._say("import-refused", part, message, help)

    def differs(self, part: Part, message: str, help: str | None = None) -> None:
        """Something is carried over and behaves a little differently."""
        self._say("import-differs", part, message, help)

    def todo(self, part: Part, message: str, help: str | None = None) -> None:
        """A value is needed that no export holds."""
        self._say("import-todo", part, message, help)
