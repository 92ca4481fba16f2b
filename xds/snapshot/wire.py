"""bytes <-> protobuf fields: the wire format alone, with no message types.

Source: protobuf.dev, "Encoding". Requests of a stream and the references in a resource are read at this level because a
whole message costs a thousand times more to build than to skip: a first discovery request names some 80 kB of extensions.
"""

from __future__ import annotations

from collections.abc import Iterator

Field = tuple[int, int, int | bytes]
"""Field number, wire type (0 varint, 1 and 5 fixed width, 2 length-delimited), and the number or the bytes."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTH = {FIXED64: 8, FIXED32: 4}


class WireError(ValueError):
    """The bytes are not a protobuf message."""


def varint(value: int) -> bytes:
    """A non-negative number as a base-128 varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: bytes | str) -> bytes:
    """One length-delimited field, tag and length included; empty when the value is, as proto3 has it."""
    return element(number, value) if value else b""


def element(number: int, value: bytes | str) -> bytes:
    """One element of a repeated length-delimited field, written even when it is empty."""
    body = value.encode() if isinstance(value, str) else value
    return b"".join((varint(number << 3 | BYTES), varint(len(body)), body))


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("a varint has no end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: bytes) -> Iterator[Field]:
    """The fields of one message in the order written. Raises WireError on anything that is not a whole message."""
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = _read_varint(data, at - 1)
        kind = tag & 7
        if tag < 8:
            raise WireError("field number 0")
        if kind == BYTES:
            if at < end and data[at] < 0x80:
                size = data[at]
                at += 1
            else:
                size, at = _read_varint(data, at)
        elif kind == VARINT:
            number, at = _read_varint(data, at)
            yield tag >> 3, kind, number
            continue
        elif kind in _WIDTH:
            size = _WIDTH[kind]
        else:
            raise WireError(f"wire type {kind}")
        stop = at + size
        if stop > end:
            raise WireError("a field is longer than its message")
        yield tag >> 3, kind, data[at:stop]
        at = stop


def text(value: int | bytes) -> str:
    """A length-delimited field as text. Raises WireError if it is none, or not UTF-8."""
    if not isinstance(value, bytes):
        raise WireError("a number where text belongs")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise WireError("text that is not UTF-8") from error


def blob(value: int | bytes) -> bytes:
    """A length-delimited field as bytes. Raises WireError if it is a number."""
    if not isinstance(value, bytes):
        raise WireError("a number where a message belongs")
    return value
