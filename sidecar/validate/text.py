"""Text of a parameter -> typed value: percent-encoding, and scalars by Shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from xds.model import Shape

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, bool] = {"true": True, "false": False}

ALL_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})

Decode = Callable[[str], Any]


class Malformed(ValueError):
    """A text that is not written as its style or encoding says. `code` is a row of `sidecar.codes`."""

    def __init__(self, detail: str, code: str = "malformed-parameter") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


def percent_decoded(raw: str) -> str:
    """Decode percent-encoding (RFC 3986, section 2.1) to text. `raw` holds bytes as Latin-1.

    Raises `Malformed` for a broken escape, for what is not UTF-8 and for NUL.
    """
    if "%" not in raw and raw.isascii():
        return raw
    if _BAD_ESCAPE.search(raw):
        raise Malformed("has a broken percent-encoding")
    return utf8(unquote_to_bytes(_octets(raw)))


def form_decoded(raw: str) -> str:
    """The same for queries and forms, where `+` is a space (OpenAPI 3.1.1, appendix E; WHATWG URL, section 5)."""
    return percent_decoded(raw.replace("+", " ") if "+" in raw else raw)


def as_sent(raw: str) -> str:
    """The text unchanged: header fields are not percent-encoded (OpenAPI 3.1.1, appendix D)."""
    if not raw.isascii():
        _octets(raw)
    return raw


def _octets(raw: str) -> bytes:
    """The bytes of a text that holds bytes as Latin-1; a text that does not is not what the proxy forwards."""
    try:
        return raw.encode("latin-1")
    except UnicodeEncodeError:
        raise Malformed("holds a character that no octet stands for") from None


def utf8(data: bytes) -> str:
    """Bytes as text. Raises `Malformed` for what is not UTF-8 and for NUL."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Malformed("is not UTF-8") from None
    if "\0" in text:
        raise Malformed("holds a NUL character")
    return text


def scalars(shape: Shape) -> tuple[Decode, ...]:
    """The readings of one text, in the order in which they are tried against the schema.

    A schema that names its types gets the typed reading first and the plain text after; one that leaves them open gets
    the text as it is, and the typed reading if only that conforms (`enum: [1, 2]` without `type`).
    """
    types = shape.types - {"array", "object"}
    if types == {"string"} or not types:
        return (str,)
    typed = _typed(types)
    if "string" not in types:
        return (typed,)
    return (str, typed) if shape.types == ALL_TYPES else (typed, str)


def scalar(shape: Shape) -> Decode:
    """The first reading alone, for the items of arrays and the members of objects."""
    return scalars(shape)[0]


def _typed(types: frozenset[str]) -> Decode:
    if types == {"integer"}:
        return integer
    if types <= {"integer", "number"}:
        return number
    if types == {"boolean"}:
        return boolean
    tried = [decode for name, decode in _TYPED if name in types]

    def decode(text: str) -> Any:
        for each in tried:
            if (value := each(text)) is not text:
                return value
        return text

    return decode


def integer(text: str) -> int | str:
    """A JSON integer without fraction or exponent (RFC 8259, section 6), else the text itself."""
    if not _INTEGER.fullmatch(text):
        return text
    try:
        return int(text)
    except ValueError:  # more digits than CPython converts in linear time
        return text


def number(text: str) -> int | float | str:
    """A finite JSON number, else the text itself."""
    if (whole := integer(text)) is not text:
        return whole
    if not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    return value if value - value == 0.0 else text


def boolean(text: str) -> bool | str:
    """`true` or `false`, else the text itself."""
    return _WORDS.get(text, text)


def null(text: str) -> str | None:
    """`null`, else the text itself."""
    return None if text == "null" else text


_TYPED: tuple[tuple[str, Decode], ...] = (
    ("number", number),
    ("integer", integer),
    ("boolean", boolean),
    ("null", null),
)
