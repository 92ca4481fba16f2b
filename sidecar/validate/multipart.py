"""multipart/form-data bytes -> parts, bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from .text import Malformed, utf8

PARTS = 1_000
HEADERS = 16
HEADER_BYTES = 4_096

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER = re.compile(r';[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^";\s]*))[ \t]*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """One part: field name, file name if it has one, headers (names lower case), content."""

    name: str
    filename: str | None
    headers: dict[str, str]
    data: bytes


def read_parts(data: bytes, boundary: str | None) -> list[Part]:
    """Split a body into its parts (RFC 7578). Raises `Malformed` for anything but one whole, closed multipart body."""
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise Malformed("the media type has no valid boundary", "malformed-form")
    delimiter = b"--" + boundary.encode("ascii")
    if data.count(delimiter) > PARTS + 1:
        raise Malformed(f"has more than {PARTS} parts", "too-many-values")
    collector = _Collector()
    parser = MultipartParser(boundary, collector.callbacks(), max_header_count=HEADERS, max_header_size=HEADER_BYTES)
    try:
        parser.write(data)
        parser.finalize()
    except (FormParserError, ValueError):
        raise Malformed("is not well-formed multipart/form-data", "malformed-form") from None
    if not collector.ended:
        raise Malformed("has no closing boundary", "malformed-form")
    if _epilogue(data, delimiter).strip():
        raise Malformed("goes on after its closing boundary", "malformed-form")
    return [_part(raw) for raw in collector.parts]


def _epilogue(data: bytes, delimiter: bytes) -> bytes:
    """What follows the first closing boundary. RFC 2046 has it ignored; whoever does not ignore it sees other parts."""
    closing = delimiter + b"--"
    return data.partition(closing)[2] if data.startswith(closing) else data.partition(b"\r\n" + closing)[2]


@dataclass(slots=True)
class _Raw:
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)


class _Collector:
    """Receives the parser's events."""

    def __init__(self) -> None:
        self.parts: list[_Raw] = []
        self.ended = False
        self._name = bytearray()
        self._value = bytearray()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": lambda: self.parts.append(_Raw()),
            "on_part_data": lambda data, start, end: self.parts[-1].data.extend(data[start:end]),
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_end": self._end,
        }

    def _header_end(self) -> None:
        self.parts[-1].headers.append((bytes(self._name), bytes(self._value)))
        self._name.clear()
        self._value.clear()

    def _end(self) -> None:
        self.ended = True


def _part(raw: _Raw) -> Part:
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw.headers:
        name = raw_name.decode("latin-1").lower()
        if name in headers:
            raise Malformed("has a part that gives a header twice", "malformed-form")
        headers[name] = raw_value.decode("latin-1").strip(" \t")
    name, filename = _disposition(headers.get("content-disposition", ""))
    if headers.get("content-transfer-encoding", "binary").lower() not in {"binary", "7bit", "8bit"}:
        raise Malformed("has a part with a transfer encoding (RFC 7578, section 4.7)", "unsupported-encoding")
    return Part(name, filename, headers, bytes(raw.data))


def _disposition(text: str) -> tuple[str, str | None]:
    """`form-data; name="x"; filename="y"` -> names. Anything that two parsers may read differently is refused."""
    kind, semicolon, rest = text.partition(";")
    parameters: dict[str, str] = {}
    at, tail = 0, semicolon + rest
    while at < len(tail):
        match = _PARAMETER.match(tail, at)
        if match is None or match[1].lower() in parameters or match[1].endswith("*"):
            raise Malformed("has a part whose Content-Disposition is malformed", "malformed-form")
        quoted = match[2]
        parameters[match[1].lower()] = re.sub(r'\\(["\\])', r"\1", quoted) if quoted is not None else match[3]
        at = match.end()
    if kind.strip(" \t").lower() != "form-data" or "name" not in parameters:
        raise Malformed("has a part that is no form field", "malformed-form")
    name = utf8(parameters["name"].encode("latin-1"))
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n"), parameters.get("filename")
