"""Request Body Objects -> Body, with the encodings of forms filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from xds.model import Body, Encoding, Location, MediaType, Parameter, Shape

from .node import Node
from .parameters import value as header_value
from .scope import Scope

LIMIT = 1024 * 1024
"""Bytes of a request body, as long as nothing else is said."""

_TOKEN = r"[A-Za-z0-9!#$&^_.+\-]+"
_RANGE = re.compile(rf"(?:\*/\*|{_TOKEN}/\*|{_TOKEN}/{_TOKEN})")
_URLENCODED = "application/x-www-form-urlencoded"
_SEQUENTIAL = ("itemSchema", "prefixEncoding", "itemEncoding")
_FORM_STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
_NO_MEANING = frozenset({"GET", "HEAD", "TRACE", "CONNECT"})


def parse(operation: Node, method: str, scope: Scope) -> Body | None:
    """The body that an operation takes, or None."""
    written = operation.get("requestBody")
    node = scope.object(written, "a request body") if written is not None else None
    if node is None:
        return None
    report = scope.report
    report.fields(node, frozenset({"description", "content", "required"}), "a Request Body Object")
    if method in _NO_MEANING:
        help = "it is checked as declared; many clients and proxies drop it"
        report.add("body-meaningless", f"HTTP gives the body of a {method} request no meaning", written or node, help)
    content = report.mapping(node, "content")
    if content is None or not content.value:
        report.add("body-content", "a request body needs at least one media type in `content`", content or node)
        return None
    media: dict[str, MediaType] = {}
    for key, entry in content.members():
        parsed = _media_type(key, entry, scope)
        if parsed is None:
            continue
        if parsed.range in media:
            related = [(media[parsed.range].place, "first here")]
            report.add(
                "media-type", f"{parsed.range} is here twice: parameters do not tell them apart", entry, None, related
            )
        media[parsed.range] = parsed
    return Body(report.flag(node, "required"), tuple(media.values()), LIMIT, node.place)


def _media_type(key: str, entry: Node, scope: Scope) -> MediaType | None:
    essence = key.partition(";")[0].strip().lower()
    if not _RANGE.fullmatch(essence):
        scope.report.add("media-type", f"{key!r} is not a media type", entry, "write it as `application/json`")
        return None
    node = scope.object(entry, "a media type")
    if node is None:
        return None
    scope.report.fields(node, scope.dialect.media_type, "a Media Type Object")
    for field in _SEQUENTIAL:
        if (child := node.get(field)) is not None:
            scope.report.add("not-supported", f"`{field}` in requests is not enforced yet", child)
    schema = node.get("schema")
    reference, shape = scope.schema(schema)
    encodings = _encodings(node, essence, shape, scope) if _is_form(essence) and schema is not None else {}
    return MediaType(essence, reference, shape if schema is not None else None, encodings, entry.place)


def _is_form(essence: str) -> bool:
    return essence == _URLENCODED or essence.startswith("multipart/")


def _encodings(node: Node, essence: str, shape: Shape, scope: Scope) -> Mapping[str, Encoding]:
    """How each property is written: every one that the schema knows or the contract describes."""
    described = scope.report.mapping(node, "encoding")
    found = {name: _default(member, essence) for name, member in shape.properties.items()}
    for name, child in described.members() if described is not None else ():
        if scope.report.expect(child, dict, "an encoding") is not None:
            scope.report.fields(child, scope.dialect.encoding, "an Encoding Object")
            found[name] = _encoding(
                child,
                found.get(name) or _default(shape.additional or Shape(frozenset({"string"})), essence),
                essence,
                scope,
            )
    return found


def _default(shape: Shape, essence: str) -> Encoding:
    """OpenAPI, Encoding Object: by the property's type; for an array, by that of its items."""
    inner = shape.items if shape.types <= {"array", "null"} and shape.items is not None else shape
    objects = bool(inner.types) and inner.types <= {"object", "null"}
    if essence == _URLENCODED:
        return Encoding(("application/json",)) if objects else Encoding(("text/plain",), "form", True)
    return Encoding(("application/json",) if objects else ("text/plain", "application/octet-stream"))


def _encoding(node: Node, default: Encoding, essence: str, scope: Scope) -> Encoding:
    report = scope.report
    for field in ("encoding", "prefixEncoding", "itemEncoding"):
        if (child := node.get(field)) is not None:
            report.add("not-supported", f"`{field}` in requests is not enforced yet", child)
    types = tuple(t.strip().lower() for t in report.text(node, "contentType").split(",") if t.strip())
    for essence_ in types:
        if not _RANGE.fullmatch(essence_.partition(";")[0].strip()):
            report.add("media-type", f"{essence_!r} is not a media type", node.get("contentType") or node)
    styled = any(node.get(field) is not None for field in ("style", "explode", "allowReserved"))
    headers = _headers(node, scope)
    if not styled or not (essence == _URLENCODED or scope.dialect.multipart_styles):
        kept = None if types else default.style
        return Encoding(types or default.content_types, kept, default.explode, False, headers)
    style = report.text(node, "style", "form") or "form"
    if style not in _FORM_STYLES:
        report.add("parameter-style", f"encodings have the styles {', '.join(_FORM_STYLES)}", node.get("style") or node)
    explode = report.flag(node, "explode", default=style == "form")
    return Encoding(default.content_types, style, explode, report.flag(node, "allowReserved"), headers)


def _headers(node: Node, scope: Scope) -> tuple[Parameter, ...]:
    """Headers of a part; `Content-Type` is described by `contentType` alone."""
    headers = scope.report.mapping(node, "headers")
    found: list[Parameter] = []
    for name, child in headers.members() if headers is not None else ():
        header = scope.object(child, "a header")
        if header is not None and name.lower() != "content-type":
            required = scope.report.flag(header, "required")
            found.append(header_value(header, name.lower(), Location.HEADER, required, scope))
    return tuple(found)
