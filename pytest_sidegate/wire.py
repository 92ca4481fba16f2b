"""Operation, values -> a request as it goes over the wire, by the styles and media types of its contract.

Written from OpenAPI's "Style Values" and RFC 6570, not from what the gateway reads: examples go through it, and a request
that the gateway refuses then is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from xds.model import Encoding, Location, MediaType, Name, Operation, Parameter, Shape

BOUNDARY = "sidegate-example-boundary"

Values = Mapping[tuple[str, str], Any]
"""What parameters are given, by location and name."""

_RESERVED = ":/?#[]@!$&'()*+,;="  # RFC 3986, section 2.2
_CONCRETE = {"*/*": "application/json", "application/*": "application/json", "text/*": "text/plain"}


@dataclass(frozen=True, slots=True)
class Written:
    """A request: `path` holds the query too."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def written(operation: Operation, values: Values, media: MediaType | None = None, body: Any = None) -> Written:
    """The request that gives an operation's parameters these values, and this body if `media` says of what type it is.

    Parameters without a value are left out. Raises `KeyError` for a path parameter without one.
    """
    given = [(p, values[(p.location, p.name)]) for p in operation.parameters if (p.location, p.name) in values]
    of = {where: [pair for pair in given if pair[0].location is where] for where in Location}
    query = "&".join(part for p, value in of[Location.QUERY] for part in _query(p, value))
    query = "&".join(filter(None, [query, *(_whole(p, value) for p, value in of[Location.QUERYSTRING])]))
    headers = [(p.name, _simple(p, value, _plain)) for p, value in of[Location.HEADER]]
    cookies = [part for p, value in of[Location.COOKIE] for part in _form(p, value, _plain)]
    headers += [("cookie", "; ".join(cookies))] if cookies else []
    sent = b""
    if media is not None:
        content_type, sent = document(media, body)
        headers.append(("content-type", content_type))
    path = _path(operation, {p.name: (p, value) for p, value in of[Location.PATH]})
    return Written(operation.method, f"{path}?{query}" if query else path, tuple(headers), sent)


def document(media: MediaType, value: Any) -> tuple[str, bytes]:
    """Content-Type and bytes of a body. A text is sent as it is, unless the media type is JSON."""
    name = _CONCRETE.get(media.range, media.range)
    if _is_json(name):
        return name, json.dumps(value, ensure_ascii=False).encode()
    if name == "application/x-www-form-urlencoded" and isinstance(value, dict):
        return name, "&".join(part for key, each in value.items() for part in _field(media, key, each)).encode()
    if name.startswith("multipart/") and isinstance(value, dict):
        parts = b"".join(_part(media, key, each) for key, member in value.items() for each in _each(media, key, member))
        return f"{name}; boundary={BOUNDARY}", parts + f"--{BOUNDARY}--\r\n".encode()
    return name, (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()


def _is_json(name: str) -> bool:
    return name.partition(";")[0].strip().endswith(("/json", "+json"))


def _path(operation: Operation, given: Mapping[str, tuple[Parameter, Any]]) -> str:
    def text(part: str | Name) -> str:
        return quote(part, safe=_RESERVED) if isinstance(part, str) else _in_path(*given[part.name])

    return "/" + "/".join("".join(map(text, segment.parts)) for segment in operation.path.segments)


def _in_path(parameter: Parameter, value: Any) -> str:
    if parameter.media_type is not None:
        return _escaped(_content(parameter, value))
    if parameter.style == "label":
        joint = "." if parameter.explode else ","
        return "." + joint.join(_members(value, parameter.explode, _escaped))
    if parameter.style == "matrix":
        return _matrix(parameter, value)
    return _simple(parameter, value, _escaped)


def _matrix(parameter: Parameter, value: Any) -> str:
    name = _escaped(parameter.name)
    if not parameter.explode or not isinstance(value, list | dict):
        return f";{name}={','.join(_members(value, False, _escaped))}"
    if isinstance(value, dict):
        return "".join(f";{member}" for member in _members(value, True, _escaped))
    return "".join(f";{name}={_escaped(each)}" for each in value)


def _simple(parameter: Parameter, value: Any, write: Any) -> str:
    if parameter.media_type is not None:
        return str(write(_content(parameter, value)))
    return ",".join(_members(value, parameter.explode, write))


def simple(value: Any, explode: bool) -> str:
    """A value in the style `simple`, as headers of answers are written."""
    return ",".join(_members(value, explode, _plain))


def _members(value: Any, pairs: bool, write: Any) -> Iterator[str]:
    """The parts of a value: items, or of an object names and values, together or in turn."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from [f"{write(name)}={write(each)}"] if pairs else [write(name), write(each)]
    elif isinstance(value, list):
        yield from (write(each) for each in value)
    else:
        yield write(value)


def _query(parameter: Parameter, value: Any) -> Iterable[str]:
    write = _reserved if parameter.allow_reserved else _escaped
    if parameter.media_type is not None:
        return [f"{_escaped(parameter.name)}={write(_content(parameter, value))}"]
    return _form(parameter, value, write)


def _form(parameter: Parameter | Encoding, value: Any, write: Any, name: str = "") -> Iterable[str]:
    name = _escaped(name or getattr(parameter, "name", ""))
    if parameter.style == "deepObject" and isinstance(value, dict):
        return [f"{name}%5B{write(key)}%5D={write(each)}" for key, each in value.items()]
    if isinstance(value, dict) and parameter.explode:
        return _members(value, True, write)
    if isinstance(value, list) and parameter.explode:
        return [f"{name}={write(each)}" for each in value]
    joint = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(parameter.style or "", ",")
    return [f"{name}={joint.join(_members(value, False, write))}"]


def _whole(parameter: Parameter, value: Any) -> str:
    """OpenAPI 3.2's `querystring`: the query is one document."""
    if parameter.media_type == "application/x-www-form-urlencoded" and isinstance(value, dict):
        return urlencode({key: _plain(each) for key, each in value.items()})
    return _escaped(_content(parameter, value))


def _content(parameter: Parameter, value: Any) -> str:
    text = isinstance(value, str) and not _is_json(parameter.media_type or "")
    return value if text else json.dumps(value, ensure_ascii=False)


def _field(media: MediaType, name: str, value: Any) -> Iterable[str]:
    """A property of a form."""
    encoding = media.encodings.get(name) or Encoding(("text/plain",), "form", True)
    if encoding.style is not None:
        return _form(encoding, value, _escaped, name)
    text = json.dumps(value) if _is_json(encoding.content_types[0]) else _plain(value)
    return [f"{_escaped(name)}={_escaped(text)}"]


def _each(media: MediaType, name: str, value: Any) -> Iterable[Any]:
    """The parts of a property: an array is a part for each item (OpenAPI, Encoding Object)."""
    members = media.shape.properties.get(name) if media.shape else None
    items = members.items if members else None
    encoding = media.encodings.get(name)
    whole = encoding is not None and _is_json(encoding.content_types[0]) and not _is_object(items)
    return [value] if not isinstance(value, list) or whole else value


def _is_object(shape: Shape | None) -> bool:
    return shape is not None and shape.types <= {"object", "null"}


def _part(media: MediaType, name: str, value: Any) -> bytes:
    encoding = media.encodings.get(name)
    kind = encoding.content_types[0] if encoding else "application/json" if isinstance(value, dict) else "text/plain"
    text = json.dumps(value, ensure_ascii=False) if _is_json(kind) else _plain(value)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    lines = [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{quoted}"', f"Content-Type: {kind}", "", text]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _plain(value: Any) -> str:
    """A scalar as text; null is empty."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _escaped(value: Any) -> str:
    return quote(_plain(value), safe="")


def _reserved(value: Any) -> str:
    return quote(_plain(value), safe=_RESERVED.replace("&", "").replace("#", "").replace("+", ""))
