"""YAML text -> values, and where each of them stands.

YAML 1.2's core schema (section 10.3.2): `no`, `on` and `1_000` are text, `0o17` is fifteen, dates are text. Keys are text as
written, so `200:` is "200". Merge keys (`<<`) are followed, since the file's author relies on them. Tags are refused.
Events come from libyaml and are taken from a loop, never by recursion, so that no nesting can exhaust a stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml import AliasEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from .limits import MAX_DEPTH, MAX_DIGITS, MAX_NODES, Refusal
from .pointer import escape

_Parser: Any
try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # PyYAML built without libyaml
    from ._pureyaml import Parser as _Parser

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NO_KEY: Any = object()
_MERGE: Any = object()


def scalar(text: str) -> Any:
    """What a plain scalar means in YAML 1.2's core schema; ValueError if it is a number outside the range of a double."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError("number of more than a thousand digits")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("number that JSON cannot write")
    if _FLOAT.fullmatch(text):
        number = float(text) if len(text) <= MAX_DIGITS else math.inf
        if math.isinf(number):
            raise ValueError("number outside the range of a double")
        return number
    return text


def _events(data: bytes) -> Iterator[Any]:
    """libyaml's events; its errors as refusals with a place."""
    try:
        parser = _Parser(data)
        get = parser.get_event
        while (event := get()) is not None:
            yield event
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        text = "; ".join(filter(None, (e.context, e.problem)))
        raise Refusal("yaml-syntax", text, *(((mark.line + 1), mark.column + 1) if mark else (1, 1))) from None
    except yaml.YAMLError as e:
        raise Refusal("yaml-syntax", str(e).splitlines()[0] if str(e) else "not YAML", 1, 1) from None
    except (UnicodeError, ValueError) as e:
        raise Refusal("yaml-syntax", f"the text is not UTF-8 ({type(e).__name__})", 1, 1) from None


def _refuse(code: str, message: str, event: Any) -> Refusal:
    return Refusal(code, message, event.start_mark.line + 1, event.start_mark.column + 1)


class _Builder:
    """The values built so far: a stack of open containers, and what anchors stand for."""

    __slots__ = ("anchors", "count", "deepest", "duplicate", "height", "key", "known", "merges", "stack", "top")

    def __init__(self, depth: int) -> None:
        self.deepest = MAX_DEPTH - depth
        self.top: Any = [None]  # the container being filled
        self.key: Any = _NO_KEY  # the key waiting for its value in a mapping
        self.stack: list[tuple[Any, Any, str | None, int, int]] = []
        self.height = 0  # the greatest nesting seen inside the open container
        self.count = 0
        self.anchors: dict[str, tuple[Any, int, int] | None] = {}
        self.merges: dict[int, list[Any]] = {}
        self.known: dict[str, Any] = {}
        self.duplicate = False

    def open(self, event: Any, container: Any) -> None:
        if event.tag is not None:
            raise _refuse("yaml-tag", f"the tag {event.tag} is not read", event)
        if self.key is _NO_KEY and type(self.top) is dict:
            raise _refuse("yaml-syntax", "a mapping's key must be text", event)
        if len(self.stack) >= self.deepest:
            raise _refuse("document-budget", f"nested deeper than {MAX_DEPTH} levels", event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append((self.top, self.key, event.anchor, self.count, self.height))
        self.top, self.key, self.height = container, _NO_KEY, 0

    def close(self) -> None:
        value, inner = self.top, self.height + 1
        for merged in self.merges.pop(id(value), ()) if self.merges else ():
            for key, member in merged.items():
                value.setdefault(key, member)
        self.top, self.key, anchor, before, height = self.stack.pop()
        self.height = max(height, inner)
        if anchor is not None:
            self.anchors[anchor] = (value, self.count - before, inner)
        self.put(value)

    def put(self, value: Any) -> None:
        top = self.top
        self.count += 1
        if type(top) is list:
            top.append(value)
        elif self.key is _MERGE:
            self.merges.setdefault(id(top), []).extend(value if isinstance(value, list) else [value])
            self.key = _NO_KEY
        else:
            if self.key in top:
                self.duplicate = True
            top[self.key] = value
            self.key = _NO_KEY

    def text(self, event: Any) -> None:
        if event.tag is not None:
            raise _refuse("yaml-tag", f"the tag {event.tag} is not read", event)
        text = event.value
        if self.key is _NO_KEY and type(self.top) is dict:
            self.key = _MERGE if text == "<<" and event.implicit[0] else text
            if event.anchor is not None:
                self.anchors[event.anchor] = (text, 1, 0)
            return
        if self.key is _MERGE:
            raise _refuse("yaml-syntax", "a merge key needs a mapping", event)
        value = self.plain(text, event) if event.implicit[0] else text
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1, 0)
        self.put(value)

    def plain(self, text: str, event: Any) -> Any:
        try:
            return self.known[text]
        except KeyError:
            try:
                value = self.known[text] = scalar(text)
            except ValueError as e:
                raise _refuse("number-range", str(e), event) from None
            return value

    def alias(self, event: Any) -> None:
        known = self.anchors.get(event.anchor)
        if known is None:
            open_ = event.anchor in self.anchors
            raise _refuse(
                "yaml-syntax", "an alias inside its own anchor" if open_ else "an alias without anchor", event
            )
        value, weight, height = known
        if self.key is _NO_KEY and type(self.top) is dict:
            if not isinstance(value, str):
                raise _refuse("yaml-syntax", "a mapping's key must be text", event)
            self.key = value
            return
        self.count += weight
        if self.count > MAX_NODES:
            raise _refuse("document-budget", f"aliases stand for more than {MAX_NODES:,} values", event)
        if len(self.stack) + height > self.deepest:
            raise _refuse("document-budget", f"nested deeper than {MAX_DEPTH} levels through aliases", event)
        self.height = max(self.height, height)
        if self.key is _MERGE and not _mergeable(value):
            raise _refuse("yaml-syntax", "a merge key needs a mapping", event)
        self.put(value)


def _mergeable(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and all(isinstance(v, dict) for v in value))


def value(data: bytes) -> Any:
    """The value of one YAML document; `Refusal` if there is more than one, or it is beyond the budget. No text is null."""
    return counted(data)[0]


def counted(data: bytes, depth: int = 0) -> tuple[Any, int]:
    """As `value`, for a text that stands `depth` levels deep, with the number of values in it."""
    b = _Builder(depth)
    documents = 0
    for event in _events(data):
        kind = type(event)
        if kind is ScalarEvent:
            b.text(event)
        elif kind is MappingStartEvent:
            b.open(event, {})
        elif kind is SequenceStartEvent:
            b.open(event, [])
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            if b.merges:
                _check_merges(b, event)
            b.close()
            if b.count > MAX_NODES:
                raise _refuse("document-budget", f"more than {MAX_NODES:,} values", event)
        elif kind is AliasEvent:
            b.alias(event)
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise _refuse("yaml-syntax", "a second document begins here; one file holds one document", event)
    if b.duplicate:
        raise _duplicate(data)
    return b.top[-1], b.count


def _check_merges(b: _Builder, event: Any) -> None:
    if not all(isinstance(m, dict) for m in b.merges.get(id(b.top), ())):
        raise _refuse("yaml-syntax", "a merge key needs a mapping", event)


def _duplicate(data: bytes) -> Refusal:
    """The first key that a mapping holds twice, with both places."""
    seen: dict[str, tuple[int, int]] = {}
    for pointer, key, line, column in positions(data):
        if key is not None and pointer in seen:
            return Refusal("duplicate-key", f"the key {key!r} is here twice", line, column, pointer, seen[pointer])
        seen[pointer] = (line, column)
    return Refusal("duplicate-key", "a mapping holds one key twice", 1, 1)


def positions(data: bytes) -> Iterator[tuple[str, str | None, int, int]]:
    """Pointer, key (None for items and the root), line and column of every value, in the order of the text.

    A member of a mapping stands where its key is; lines and columns count from 1. Aliases are not entered.
    """
    stack: list[tuple[str, int]] = []  # pointer of the open container; number of the next item, or -1 in a mapping
    pointer, index = "", -2
    key: str | None = None
    for event in _events(data):
        kind = type(event)
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            pointer, index = stack.pop()
            continue
        if kind not in (ScalarEvent, MappingStartEvent, SequenceStartEvent, AliasEvent):
            continue
        if index == -1 and key is None:
            key = event.anchor if kind is AliasEvent else str(getattr(event, "value", ""))
            mark = event.start_mark
            yield f"{pointer}/{escape(key)}", key, mark.line + 1, mark.column + 1
            continue
        if index >= 0:
            here = f"{pointer}/{index}"
            index += 1
            yield here, None, event.start_mark.line + 1, event.start_mark.column + 1
        elif index == -1:
            here, key = f"{pointer}/{escape(str(key))}", None
        else:
            here = ""
            yield "", None, event.start_mark.line + 1, event.start_mark.column + 1
        if kind is MappingStartEvent or kind is SequenceStartEvent:
            stack.append((pointer, index))
            pointer, index, key = here, 0 if kind is SequenceStartEvent else -1, None
