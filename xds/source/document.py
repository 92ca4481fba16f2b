"""File -> Document: plain values; line and column of each when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from xds.diagnostics import Diagnostic, Span

from . import blocks, jsontext, members, yamltext
from .blocks import Blocks
from .limits import MAX_BYTES, Refusal
from .pointer import parents


class HasPlace(Protocol):
    """Anything with a file and a pointer, such as `xds.model.Place`."""

    @property
    def file(self) -> str: ...
    @property
    def pointer(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Document:
    """One file read as JSON or YAML. `value` is plain data and shared: nobody changes it."""

    file: str
    value: Any
    data: bytes = field(repr=False, compare=False)

    def span(self, pointer: str = "") -> Span:
        """Where the value of an RFC 6901 pointer stands (its key, in a mapping)."""
        return locate(self.file, self.data, pointer)


def is_json(file: str) -> bool:
    """Whether a file is read as JSON by its name; every other document is YAML."""
    return file.endswith(".json")


def load(file: str, data: bytes, known: Blocks | None = None) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """The document in a file's bytes, or None and why not.

    `known` keeps parts of the file from one reading to the next; values of parts that are the same are the same objects.
    Codes: `yaml-syntax`, `json-syntax`, `yaml-tag`, `duplicate-key`, `number-range`, `document-budget`.
    """
    try:
        if len(data) > MAX_BYTES:
            raise Refusal("document-budget", f"the file is larger than {MAX_BYTES // 2**20} MiB")
        known = known if known is not None else Blocks()
        value = members.value(data, known.members) if is_json(file) else blocks.value(data, known)
        return Document(file, value, data), ()
    except Refusal as r:
        span = Span(file, r.line, r.column, r.pointer)
        related = ((Span(file, *r.first, r.pointer), "first here"),) if r.first else ()
        return None, (Diagnostic(r.code, r.message, span, _HELP.get(r.code), related),)


_HELP = {
    "yaml-tag": "write plain YAML: mappings, lists, text, numbers, booleans and null",
    "duplicate-key": "remove one of the two: readers disagree on which one counts",
    "number-range": "write a number that fits a double",
}


def span(files: Mapping[str, bytes], place: HasPlace) -> Span:
    """Line and column of a place. The innermost known parent is named if the pointer's own value is not in the text."""
    data = files.get(place.file)
    return Span(place.file, 0, 0, place.pointer) if data is None else locate(place.file, data, place.pointer)


def locate(file: str, data: bytes, pointer: str) -> Span:
    """As `span`, for one file's bytes."""
    part = None if is_json(file) else blocks.find(data, pointer)
    part = part or blocks.Part(data, pointer, 0, 0)
    if is_json(file) and _asked(data).one_more() <= _FEW:
        return Span(file, *jsontext.find(data, pointer), pointer)
    index = _index(is_json(file), part.text)
    for candidate in parents(part.pointer):
        if candidate in index:
            line, column = index[candidate]
            return Span(file, line + part.shift if line > part.line else line, column, pointer)
    return Span(file, 1, 1, pointer)


_FEW = 16
"""So many places of one text are looked up one by one; for more of them all positions are taken down."""


@dataclass(slots=True)
class _Count:
    asked: int = 0

    def one_more(self) -> int:
        self.asked += 1
        return self.asked


@lru_cache(maxsize=64)
def _asked(data: bytes) -> _Count:
    return _Count()


@lru_cache(maxsize=64)
def _index(json: bool, data: bytes) -> Mapping[str, tuple[int, int]]:
    """Pointer -> line and column, as far as the text can be read."""
    found: dict[str, tuple[int, int]] = {}
    try:
        for pointer, _, line, column in (jsontext if json else yamltext).positions(data):
            found.setdefault(pointer, (line, column))
    except (Refusal, ValueError):
        pass
    return found


def excerpt(files: Mapping[str, bytes], at: Span) -> str | None:
    """The source line of a span without its end, or None if the file or the line is not known."""
    data = files.get(at.file)
    if data is None or at.line < 1:
        return None
    lines = _lines(data)
    return lines[at.line - 1] if at.line <= len(lines) else None


@lru_cache(maxsize=8)
def _lines(data: bytes) -> list[str]:
    return [line.rstrip("\r") for line in data.decode("utf-8-sig", "replace").split("\n")]
