"""`headers: {request: {...}, response: {...}}`, `query: {...}` -> what is changed of a message once it was judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds import headers as internal
from xds.native.faults import nearest
from xds.native.feature import Feature, Problem, Site
from xds.source.pointer import join

if TYPE_CHECKING:
    from xds.model import Operation

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """Of one message: what is taken off, then set (in the place of all of its name), then added beside those there are.

    Names are lower case for headers. Values may hold placeholders: `${operationId}`.
    """

    remove: tuple[str, ...] = ()
    set: Pairs = ()
    add: Pairs = ()

    def __bool__(self) -> bool:
        return bool(self.remove or self.set or self.add)


@dataclass(frozen=True, slots=True)
class HeaderChanges:
    """What is changed of a request's headers on the way to the service, and of its response's on the way back."""

    request: Changes = Changes()
    response: Changes = Changes()


WORDS = ("operationId", "traceId")
"""Placeholders."""

REQUEST_WORDS = ("consumer", *WORDS)
"""Those of request headers: who asks is not known any more when the response comes."""

PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")

_CONNECTION = (
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_FAMILIES = (internal.PREFIX, "x-envoy-", "proxy-")
_REQUEST = (
    *_CONNECTION,
    "authorization",
    "expect",
    "forwarded",
    "host",
    "traceparent",
    "tracestate",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-request-id",
    "x-rewrite-url",
)
_RESPONSE = (*_CONNECTION, "allow", "date", "www-authenticate")
RESERVED = {"request": frozenset(_REQUEST), "response": frozenset(_RESPONSE)}
"""What no transform may touch: framing, the form of what was judged, who asks, and by which trace."""

_FORWARDED = ("x-forwarded-", "access-control-")


def _read_headers(value: Mapping[str, Any]) -> HeaderChanges:
    return HeaderChanges(_changes(value.get("request", {}), str.lower), _changes(value.get("response", {}), str.lower))


def _read_query(value: Mapping[str, Any]) -> Changes:
    return _changes(value, str)


def _changes(value: Mapping[str, Any], name: Any) -> Changes:
    return Changes(
        tuple(dict.fromkeys(map(name, value.get("remove", ())))),
        tuple((name(key), text) for key, text in value.get("set", {}).items()),
        tuple((name(key), text) for key, text in value.get("add", {}).items()),
    )


def _check_headers(value: HeaderChanges, operation: Operation, site: Site) -> Iterator[Problem]:
    written = operation.settings["headers"].value
    for side in ("request", "response"):
        for problem in _check(written.get(side, {}), side):
            yield Problem(problem.message, f"/{side}{problem.pointer}", problem.help)


def _check(written: Mapping[str, Any], side: str) -> Iterator[Problem]:
    for kind in ("set", "add"):
        for name, text in written.get(kind, {}).items():
            yield from _reserved(name, side, join("", kind, name))
            yield from _words(text, join("", kind, name), REQUEST_WORDS if side == "request" else WORDS)
    for number, name in enumerate(written.get("remove", ())):
        yield from _reserved(name, side, join("", "remove", str(number)))
    yield from _twice(written)


def _reserved(name: str, side: str, pointer: str) -> Iterator[Problem]:
    lower = name.lower()
    if lower in RESERVED[side] or lower.startswith(_FAMILIES) or lower.startswith(_FORWARDED):
        help_ = "it carries what the gateway judged or how the message is framed; choose a header of your own"
        yield Problem(f"no transform may touch the {side} header `{lower}`", pointer, help_)


def _words(text: str, pointer: str, words: tuple[str, ...] = WORDS) -> Iterator[Problem]:
    for word in PLACEHOLDER.findall(text):
        if word not in words:
            yield Problem(f"there is no placeholder `${{{word}}}` here", pointer, nearest(word, words))


def _twice(written: Mapping[str, Any]) -> Iterator[Problem]:
    """Names have no case; of two that are the same, or of one that is set and taken off, somebody meant something else."""
    seen: dict[str, str] = {}
    for kind in ("set", "add", "remove"):
        for number, name in enumerate(written.get(kind, ())):
            pointer = join("", kind, str(number) if kind == "remove" else name)
            if (other := seen.setdefault(name.lower(), pointer)) != pointer:
                yield Problem(f"`{name}` stands here twice, also at {other}", pointer, "keep one of them")


def _check_query(value: Changes, operation: Operation, site: Site) -> Iterator[Problem]:
    written = operation.settings["query"].value
    for name, text in written.get("set", {}).items():
        yield from _words(text, join("", "set", name))
    for number, name in enumerate(written.get("remove", ())):
        if name in written.get("set", {}):
            yield Problem(f"`{name}` is set, and what is set replaces all of its name", f"/remove/{number}", "drop it")


def _said_headers(value: HeaderChanges) -> str:
    sides = (("the service's request", value.request), ("its response", value.response))
    return "; ".join(f"{_said(changes)} on {where}" for where, changes in sides if changes)


def _said(changes: Changes) -> str:
    parts = (("removes", changes.remove), ("sets", _names(changes.set)), ("adds", _names(changes.add)))
    return ", ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)


def _names(pairs: Pairs) -> tuple[str, ...]:
    return tuple(name for name, _ in pairs)


_NAME = "^[A-Za-z0-9][A-Za-z0-9.-]*$"
_TEXT = {
    "type": "string",
    "pattern": "^[!-~]([ -~]{0,1022}[!-~])?$",
    "description": "printable ASCII; ${operationId} and ${traceId} stand for what they say, and ${consumer} in request headers",
}
_PAIRS = {
    "type": "object",
    "minProperties": 1,
    "description": "header names and their values, {x-source: gateway}; names are letters, digits, dots and hyphens",
    "propertyNames": {"pattern": _NAME},
    "additionalProperties": _TEXT,
}
_REMOVE = {
    "type": "array",
    "minItems": 1,
    "description": "header names, [x-powered-by]",
    "items": {"type": "string", "pattern": _NAME, "description": "a header name: letters, digits, dots and hyphens"},
}
_SIDE = {
    "type": "object",
    "minProperties": 1,
    "description": "what is removed, then set in the place of others of its name, then added to those",
    "additionalProperties": False,
    "properties": {"set": _PAIRS, "add": _PAIRS, "remove": _REMOVE},
}

HEADERS = Feature(
    key="headers",
    field="headers",
    schema={
        "type": "object",
        "minProperties": 1,
        "description": "headers changed once a request was judged: {response: {remove: [x-powered-by]}}",
        "additionalProperties": False,
        "properties": {"request": _SIDE, "response": _SIDE},
    },
    read=_read_headers,
    check=_check_headers,
    said=_said_headers,
)

_KEY = {"pattern": "^[!-~]{1,128}$"}

QUERY = Feature(
    key="query",
    field="query",
    schema={
        "type": "object",
        "minProperties": 1,
        "description": "query parameters changed once a request was judged: {set: {source: gateway}, remove: [debug]}",
        "additionalProperties": False,
        "properties": {
            "set": {
                "type": "object",
                "minProperties": 1,
                "description": "parameters and their values, unescaped, in the place of all of their names",
                "propertyNames": _KEY,
                "additionalProperties": _TEXT,
            },
            "remove": {
                "type": "array",
                "minItems": 1,
                "description": "names of parameters, unescaped",
                "items": {"type": "string", **_KEY, "description": "a parameter's name, unescaped"},
            },
        },
    },
    read=_read_query,
    check=_check_query,
    said=lambda value: f"{_said(value)} in the query that the service sees",
)
