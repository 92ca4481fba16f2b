"""JSON text -> values, and where each of them stands."""

from __future__ import annotations

import bisect
import json
import math
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from .limits import MAX_DEPTH, MAX_DIGITS, MAX_NODES, Refusal
from .pointer import escape, tokens

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


class _Duplicate(Exception):
    pass


class _Number(Exception):
    pass


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Duplicate
    return result


def _float(text: str) -> float:
    number = float(text) if len(text) <= MAX_DIGITS else math.inf
    if math.isinf(number):
        raise _Number
    return number


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _Number
    return int(text)


def _constant(text: str) -> Any:
    raise _Number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_mapping, parse_float=_float, parse_int=_int, parse_constant=_constant, strict=True
)


def value(data: bytes) -> Any:
    """The value of a JSON text (RFC 8259, UTF-8, a byte order mark is passed over); `Refusal` if it is none."""
    text = decoded(data)
    try:
        result = _DECODER.decode(text)
    except json.JSONDecodeError as e:
        raise Refusal("json-syntax", e.msg[:1].lower() + e.msg[1:], e.lineno, e.colno) from None
    except _Duplicate:
        raise _duplicate(text) from None
    except _Number:
        raise _number(text) from None
    except RecursionError:
        raise Refusal("document-budget", f"nested deeper than {MAX_DEPTH} levels", 1, 1) from None
    check_encodable(result, text)
    measure(result)
    return result


BROKEN = (_Duplicate, _Number, RecursionError)
"""What `scan` raises beside ValueError and StopIteration."""

scan = _DECODER.scan_once  # type: ignore[attr-defined]
"""The value that begins at an offset of a text, and where it ends."""


def check_encodable(value: Any, text: str) -> None:
    """`Refusal` for a value of that text with half of a surrogate pair in it."""
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Refusal("json-syntax", "half of a surrogate pair stands for no character", 1, 1) from None


def decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise Refusal("json-syntax", "the text is not UTF-8", line, e.start - data.rfind(b"\n", 0, e.start)) from None


def measure(root: Any, depth: int = 0) -> int:
    """How many values there are in one that stands `depth` levels deep. Breadth first, so that depth is a count of rounds."""
    level, nodes = [root], 0
    while level:
        nodes += len(level)
        depth += 1
        inner = [v for v in level if type(v) is dict or type(v) is list]
        if nodes > MAX_NODES:
            raise Refusal("document-budget", f"more than {MAX_NODES:,} values", 1, 1)
        if inner and depth > MAX_DEPTH:
            raise Refusal("document-budget", f"nested deeper than {MAX_DEPTH} levels", 1, 1)
        level = [m for v in inner for m in (v.values() if type(v) is dict else v)]
    return nodes


def _duplicate(text: str) -> Refusal:
    seen: dict[str, tuple[int, int]] = {}
    for pointer, key, line, column in _positions(text):
        if key is not None and pointer in seen:
            return Refusal("duplicate-key", f"the key {key!r} is here twice", line, column, pointer, seen[pointer])
        seen[pointer] = (line, column)
    return Refusal("duplicate-key", "a mapping holds one key twice", 1, 1)


def _number(text: str) -> Refusal:
    """The first number that a double cannot hold."""
    lines = _Lines(text)
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in ("NaN", "Infinity", "-Infinity"):
            return Refusal("json-syntax", f"{token} is not JSON", *lines.at(match.start()))
        number = _NUMBER.match(token)  # something else may follow it: the text is broken there, but this is found first
        if number and (len(number[0]) > MAX_DIGITS or math.isinf(float(number[0]))):
            return Refusal("number-range", "number outside the range of a double", *lines.at(match.start()))
    return Refusal("number-range", "number outside the range of a double", 1, 1)


class _Lines:
    """Offsets of the lines of a text."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(m.end() for m in re.finditer("\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        line = bisect.bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1


def positions(data: bytes) -> Iterator[tuple[str, str | None, int, int]]:
    """As `yamltext.positions`, for a JSON text that has been read without refusal or with a duplicate key."""
    return _positions(decoded(data))


_SPACE = re.compile(r"[ \t\n\r]*")
_skip = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).scan_once  # type: ignore[attr-defined]


def find(data: bytes, pointer: str) -> tuple[int, int]:
    """Line and column of a pointer's value, or of the innermost enclosing one that is there, as `positions` has them.

    It reads as far as the place and steps over what lies before it: a few places cost less than the positions of all.
    """
    text = decoded(data)
    at = found = after(text, 0)
    try:
        for token in tokens(pointer):
            place, at = _member(text, at, token) if text[at] == "{" else _item(text, at, token)
            if place < 0:
                break
            found = place
    except (StopIteration, ValueError, IndexError, RecursionError):
        pass  # not JSON from here on
    return text.count("\n", 0, found) + 1, found - text.rfind("\n", 0, found)


def after(text: str, at: int) -> int:
    """Where the white space at an offset ends."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _member(text: str, at: int, name: str) -> tuple[int, int]:
    """Where the key of a mapping's member stands, and its value; -1 for both if there is none."""
    at = after(text, at + 1)
    while text[at] == '"':
        key, end = scanstring(text, at + 1, False)
        value = after(text, after(text, end) + 1)
        if key == name:
            return at, value
        at = after(text, _skip(text, value)[1])
        if text[at] != ",":
            break
        at = after(text, at + 1)
    return -1, -1


def _item(text: str, at: int, token: str) -> tuple[int, int]:
    """Where an item of a list stands, twice; -1 if there is none."""
    if text[at] != "[" or not token.isascii() or not token.isdigit() or (token[0] == "0" and token != "0"):
        return -1, -1
    at = after(text, at + 1)
    for _ in range(int(token[:9])):
        at = after(text, _skip(text, at)[1])
        if text[at] != ",":
            return -1, -1
        at = after(text, at + 1)
    return (-1, -1) if text[at] == "]" else (at, at)


def _positions(text: str) -> Iterator[tuple[str, str | None, int, int]]:
    lines = _Lines(text)
    stack: list[tuple[str, int]] = []
    pointer, index = "", -2  # index: number of the next item, -1 in a mapping, -2 outside
    key: str | None = None
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in ",:":
            continue
        if token in "}]":
            pointer, index = stack.pop() if stack else ("", -2)
            continue
        if index == -1 and key is None:
            key = json.loads(token, strict=False)
            yield f"{pointer}/{escape(key or '')}", key, *lines.at(match.start())
            continue
        if index >= 0:
            here = f"{pointer}/{index}"
            index += 1
            yield here, None, *lines.at(match.start())
        elif index == -1:
            here, key = f"{pointer}/{escape(str(key))}", None
        else:
            here = ""
            yield "", None, *lines.at(match.start())
        if token in "{[":
            stack.append((pointer, index))
            pointer, index, key = here, 0 if token == "[" else -1, None
