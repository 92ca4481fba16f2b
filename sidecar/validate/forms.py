"""Form body -> object: application/x-www-form-urlencoded and multipart/form-data by Encoding Objects."""

from __future__ import annotations

from typing import Any

from xds.model import Encoding, Location, MediaType, Parameter, Shape

from .content import is_json, json_value
from .explain import Checks
from .media import ContentType, falls_under, parse_content_type
from .multipart import Part
from .parameters import Field, text_field
from .query import Deep, Repeated, Spread, Text, pairs_of, query_field
from .report import Report, pointer
from .text import Malformed, form_decoded, scalar, utf8

_ANY = Shape(frozenset({"string"}))
FormField = Text | Repeated | Spread | Deep


class UrlEncoded:
    """A prepared reader of `application/x-www-form-urlencoded` (OpenAPI 3.1.1, section 4.8.15; WHATWG URL, section 5)."""

    def __init__(self, media: MediaType, checks: Checks) -> None:
        self._shape = media.shape or _ANY
        encodings = media.encodings
        self._fields = [
            _form_field(name, shape, encodings.get(name), checks) for name, shape in self._shape.properties.items()
        ]

    def read(self, data: bytes, report: Report) -> dict[str, Any]:
        """The fields, typed by the schema's shape; the schema itself is checked after. Problems go to the report."""
        try:
            text = data.decode("latin-1")
            found = pairs_of(text, report, "body")
        except Malformed as error:
            report.add("body", "", "malformed-form", error.detail)
            return {}
        into: dict[str, Any] = {}
        for field in self._fields:
            field.judge(found, into, report)
        for name, texts in found.items():
            self._undeclared(name, texts, into, report)
        return into

    def _undeclared(self, name: str, texts: list[str], into: dict[str, Any], report: Report) -> None:
        shape = self._shape.additional or _ANY
        try:
            if len(texts) > 1 and "array" not in shape.types:
                raise Malformed("may be given only once", "duplicate-key")
            values = [scalar(shape.items or _ANY if len(texts) > 1 else shape)(form_decoded(text)) for text in texts]
            into[name] = values if len(texts) > 1 else values[0]
        except Malformed as error:
            report.add("body", pointer((name,)), _form_code(error), error.detail)


def whole_query(parameter: Parameter, checks: Checks) -> Field:
    """OpenAPI 3.2's `querystring` parameter: the query as one document, a form if its media type says so."""
    if parameter.media_type != "application/x-www-form-urlencoded":
        return text_field(parameter, checks)
    form = UrlEncoded(MediaType(parameter.media_type, parameter.schema, parameter.shape), checks)

    def read(raw: str) -> dict[str, Any]:
        inner = Report()
        try:
            fields = form.read(raw.encode("latin-1"), inner)
        except UnicodeEncodeError:
            raise Malformed("holds a character that no octet stands for") from None
        for violation in inner.violations:
            code = "malformed-parameter" if violation.code == "malformed-form" else violation.code
            raise Malformed(f"has a field that {violation.detail}", code)
        return fields

    return Field(parameter, "query", (read,), checks.check(parameter.schema))


def _form_field(name: str, shape: Shape, encoding: Encoding | None, checks: Checks) -> FormField:
    """A property as a query parameter: by style if the contract gives one, else by content type (JSON for objects)."""
    style = encoding.style if encoding else None
    explode = encoding.explode if encoding else True
    media_type = None
    if style is None and shape.types & {"object", "array"} == {"object"}:
        media_type = next(iter(encoding.content_types), "application/json") if encoding else "application/json"
    parameter = Parameter(
        name,
        Location.QUERY,
        required=False,
        schema=None,
        shape=shape,
        style=None if media_type else style or "form",
        explode=explode,
        allow_empty=True,
        media_type=media_type,
    )
    return query_field(parameter, checks, "body", "duplicate-key")


def _form_code(error: Malformed) -> str:
    return "malformed-form" if error.code == "malformed-parameter" else error.code


class Multipart:
    """A prepared reader of the parts of `multipart/form-data` (RFC 7578; OpenAPI 3.1.1, section 4.8.15)."""

    def __init__(self, media: MediaType, checks: Checks) -> None:
        self._shape = media.shape or _ANY
        self._encodings = media.encodings
        self._headers = {
            name: tuple(text_field(header, checks) for header in encoding.headers)
            for name, encoding in media.encodings.items()
        }

    def read(self, parts: list[Part], report: Report) -> dict[str, Any]:
        """The parts as members of one object, typed by content type and shape; problems go to the report.

        Parts of one name make an array where the schema has one. Binary parts become text of one character a byte, so
        that lengths are lengths in bytes.
        """
        into: dict[str, Any] = {}
        for part in parts:
            try:
                self._add(part, into, report)
            except Malformed as error:
                report.add("body", pointer((part.name,)), _form_code(error), error.detail)
        return into

    def _add(self, part: Part, into: dict[str, Any], report: Report) -> None:
        shape = self._shape.properties.get(part.name) or self._shape.additional or _ANY
        many = "array" in shape.types
        if part.name in into and not many:
            raise Malformed("may be given only once", "duplicate-key")
        encoding = self._encodings.get(part.name)
        content_type = _part_type(part, encoding, shape)
        if encoding and encoding.content_types and not falls_under(content_type.name, encoding.content_types):
            raise Malformed("must be " + " or ".join(encoding.content_types), "unexpected-part")
        self._check_headers(part, report)
        json_array = (
            many and is_json(content_type.name) and shape.items is not None and not shape.items.types & {"object"}
        )
        value = _part_value(part, content_type, (shape.items or _ANY) if many and not json_array else shape)
        if not many:
            into[part.name] = value
        elif json_array and isinstance(value, list):
            into.setdefault(part.name, []).extend(value)
        else:
            into.setdefault(part.name, []).append(value)

    def _check_headers(self, part: Part, report: Report) -> None:
        for field in self._headers.get(part.name, ()):
            _check_header(field, part, report)


def _check_header(field: Field, part: Part, report: Report) -> None:
    inner = Report()
    text = part.headers.get(field.name)
    if text is None:
        field.absent(inner)
    else:
        field.judge(text, {}, inner)
    for each in inner.violations:
        report.add("body", pointer((part.name,)), each.code, f"its header {field.name} {each.detail}", each.schema)


def _part_type(part: Part, encoding: Encoding | None, shape: Shape) -> ContentType:
    """A part's own type, or what OpenAPI takes for granted where it has none."""
    written = part.headers.get("content-type")
    if written is not None:
        if (parsed := parse_content_type(written)) is None:
            raise Malformed("has no valid Content-Type", "unexpected-part")
        return parsed
    if encoding and len(encoding.content_types) == 1 and "*" not in encoding.content_types[0]:
        return ContentType(encoding.content_types[0].partition(";")[0].strip().lower())
    inner = shape.items if shape.items and shape.types == {"array"} else shape
    return ContentType("application/json" if inner.types == {"object"} else "text/plain")


def _part_value(part: Part, content_type: ContentType, shape: Shape) -> Any:
    if is_json(content_type.name):
        return json_value(part.data)
    if content_type.name.startswith("text/"):
        if part.filename is not None and shape.types == {"string"} and not content_type.is_utf8:
            return part.data.decode("latin-1")
        if not content_type.is_utf8:
            raise Malformed("must be UTF-8", "unsupported-media-type")
        return scalar(shape)(utf8(part.data))
    return part.data.decode("latin-1")
