"""Serialised parameter -> JSON value, by `style` and `explode` (OpenAPI 3.1.1, section 4.8.12.5; RFC 6570).

Delimiters are looked for in the text as it was sent and the pieces are decoded after, so that an escaped delimiter is
data. Only `%20` and `%7C` delimit in escaped form: OpenAPI writes `spaceDelimited` and `pipeDelimited` that way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xds.model import Parameter, Shape

from .text import Decode, Malformed, scalar, scalars

Split = Callable[[str], list[str]]


def readings(parameter: Parameter, unescape: Decode) -> tuple[Decode, ...]:
    """The readings of a parameter that is one text (everything but exploded query arrays and objects), in the order in
    which they are tried against the schema. Each raises `Malformed` for what the style cannot have written."""
    style, name = parameter.style or "simple", parameter.name
    strip = _PREFIXES.get(style, _no_prefix)(name, parameter.explode)
    found: list[Decode] = []
    types = parameter.shape.types
    if types - {"array", "object"}:
        found += [_scalar(strip, unescape, decode) for decode in scalars(parameter.shape)]
    if "array" in types and style != "deepObject":
        found.append(_array(parameter, unescape))
    if "object" in types and style != "deepObject":
        found.append(_object(parameter, unescape))
    return tuple(found)


def array_of(texts: list[str], shape: Shape, unescape: Decode) -> list[Any]:
    """Items, one text each."""
    decode = scalar(shape.items) if shape.items else str
    return [decode(unescape(text)) for text in texts]


def object_of(pairs: list[tuple[str, str]], shape: Shape, unescape: Decode) -> dict[str, Any]:
    """Members, one text each. Raises `Malformed` for a name that comes twice."""
    members: dict[str, Any] = {}
    for raw_name, text in pairs:
        name = unescape(raw_name)
        if name in members:
            raise Malformed("gives a property more than once")
        members[name] = member(shape, name)(unescape(text))
    return members


def member(shape: Shape, name: str) -> Decode:
    """How the text of an object's member is read."""
    inner = shape.properties.get(name) or shape.additional
    return scalar(inner) if inner else str


def _scalar(strip: Decode, unescape: Decode, decode: Decode) -> Decode:
    if strip is str:
        if unescape is str:
            return decode
        return unescape if decode is str else lambda raw: decode(unescape(raw))
    return lambda raw: decode(unescape(strip(raw)))


def _array(parameter: Parameter, unescape: Decode) -> Decode:
    shape, split = parameter.shape, _array_splits(parameter)
    return lambda raw: array_of(split(raw), shape, unescape)


def _object(parameter: Parameter, unescape: Decode) -> Decode:
    shape, style, explode = parameter.shape, parameter.style or "simple", parameter.explode
    strip = _PREFIXES.get(style, _no_prefix)(parameter.name, explode, members=True)
    separator = _separator(style, explode)

    def read(raw: str) -> dict[str, Any]:
        texts = _pieces(strip(raw), separator)
        return object_of(_named(texts) if explode else _alternating(texts), shape, unescape)

    return read


def _array_splits(parameter: Parameter) -> Split:
    style, name, explode = parameter.style or "simple", parameter.name, parameter.explode
    separator = _separator(style, explode)
    if style == "matrix" and explode:
        return lambda raw: [_matrix_value(piece, name) for piece in _matrix_pieces(raw)]
    strip = _PREFIXES.get(style, _no_prefix)(name, explode)
    return lambda raw: _pieces(strip(raw), separator)


def _separator(style: str, explode: bool) -> str:
    if style in {"spaceDelimited", "pipeDelimited"}:
        return style
    if not explode or style == "simple":
        return ","
    return {"label": ".", "matrix": ";", "form": "&"}.get(style, ",")


def _pieces(raw: str, separator: str) -> list[str]:
    if separator == "spaceDelimited":
        return raw.replace("+", "%20").split("%20")
    if separator == "pipeDelimited":
        return raw.replace("%7C", "|").replace("%7c", "|").split("|")
    return [piece.strip(" \t") for piece in raw.split(separator)]


def _named(texts: list[str]) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts]
    if not all(equals for _, equals, _ in pairs):
        raise Malformed("has a property without a value")
    return [(name, value) for name, _, value in pairs]


def _alternating(texts: list[str]) -> list[tuple[str, str]]:
    if len(texts) % 2:
        raise Malformed("has a property without a value")
    return list(zip(texts[::2], texts[1::2], strict=True))


# --- what stands before the value, by style ------------------------------------------------------------------------


def _no_prefix(name: str, explode: bool, members: bool = False) -> Decode:
    return str


def _label_prefix(name: str, explode: bool, members: bool = False) -> Decode:
    def strip(raw: str) -> str:
        if not raw.startswith("."):
            raise Malformed("must begin with a full stop (style label)")
        return raw[1:]

    return strip


def _matrix_prefix(name: str, explode: bool, members: bool = False) -> Decode:
    if members and explode:
        return lambda raw: ";".join(_matrix_pieces(raw))

    def strip(raw: str) -> str:
        pieces = _matrix_pieces(raw)
        if len(pieces) != 1:
            raise Malformed("must be one `;name=value` (style matrix)")
        return _matrix_value(pieces[0], name)

    return strip


def _matrix_pieces(raw: str) -> list[str]:
    if not raw.startswith(";"):
        raise Malformed("must begin with a semicolon (style matrix)")
    return raw[1:].split(";")


def _matrix_value(piece: str, name: str) -> str:
    found, _, value = piece.partition("=")
    if found != name:
        raise Malformed("must be named after the semicolon (style matrix)")
    return value


_PREFIXES: dict[str, Callable[..., Decode]] = {"label": _label_prefix, "matrix": _matrix_prefix}
