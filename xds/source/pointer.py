"""RFC 6901: JSON pointers as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def escape(key: str) -> str:
    """One reference token as it is written in a pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def join(pointer: str, *keys: str | int) -> str:
    """`pointer` with further tokens, which are escaped."""
    return pointer + "".join(f"/{escape(str(key))}" for key in keys)


def tokens(pointer: str) -> list[str]:
    """The unescaped tokens of a pointer; ValueError if it is neither empty nor starts with `/`."""
    if not pointer:
        return []
    if pointer[0] != "/":
        raise ValueError("a JSON pointer is empty or starts with /")
    parts = pointer[1:].split("/")
    return [part.replace("~1", "/").replace("~0", "~") for part in parts] if "~" in pointer else parts


def step(value: Any, token: str) -> Any:
    """The member of a mapping or the item of a list that one token names; KeyError if there is none."""
    if isinstance(value, dict):
        return value[token]
    if isinstance(value, list) and token.isascii() and token.isdigit() and (token == "0" or token[0] != "0"):
        index = int(token) if len(token) < 10 else len(value)
        if index < len(value):
            return value[index]
    raise KeyError(token)


def parents(pointer: str) -> Iterable[str]:
    """The pointer itself, then each enclosing one, up to the whole document (`""`)."""
    while pointer:
        yield pointer
        pointer = pointer.rpartition("/")[0]
    yield ""
