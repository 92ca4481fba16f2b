"""Plain data -> a Lua literal. The only way for a text from settings into a program."""

from __future__ import annotations

from collections.abc import Mapping

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.:/@=,+")


def literal(value: str | Mapping[str, object]) -> str:
    """A text in double quotes, all but a few harmless bytes as `\\ddd`; or a table of such, in the mapping's order."""
    if isinstance(value, str):
        return '"' + "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03}" for byte in value.encode()) + '"'
    return "{" + ",".join(f"[{literal(key)}]={_inner(inner)}" for key, inner in value.items()) + "}"


def _inner(value: object) -> str:
    if isinstance(value, (str, Mapping)):
        return literal(value)
    raise TypeError(f"no literal for {type(value).__name__}")
