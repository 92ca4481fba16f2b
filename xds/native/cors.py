"""`cors: {origins: [...]}` -> which pages of other origins may call an operation (WHATWG Fetch, CORS protocol)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import DURATION, seconds

if TYPE_CHECKING:
    from xds.model import Operation

ANY = "*"

_HOST = r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]"
ORIGIN = rf"^(\*|[a-z][a-z0-9+.-]*://({_HOST})(:[1-9][0-9]{{0,4}})?)$"
"""An origin as browsers send it (RFC 6454, section 6.2), with `*.` for any subdomain, or `*` for every origin."""

_TOKEN = r"^[A-Za-z0-9!#$&'+.^_`|~-]+$"
"""A header's name (RFC 9110, section 5.6.2) but for `%`, which Envoy reads as a command, and `*`, which is no name here."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Cors:
    """What pages of other origins may do. `methods` None means all that the path has; `max_age` is in seconds."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] | None = None
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None

    @property
    def exact(self) -> tuple[str, ...]:
        """The origins that stand for themselves."""
        return tuple(origin for origin in self.origins if ANY not in origin)

    @property
    def patterns(self) -> tuple[str, ...]:
        """A regex, to be matched whole, for each origin with `*.`; none of them matches the text `*`."""
        return tuple(_pattern(origin) for origin in self.origins if "*." in origin)

    @property
    def allowed(self) -> str:
        """A regex, to be matched whole, for all of the origins."""
        return "|".join((*map(_literal, self.exact), *self.patterns)) if self.origins != (ANY,) else ".+"


def cors_of(operation: Operation) -> Cors | None:
    """An operation's CORS, or None if pages of other origins may not call it."""
    own = operation.native.cors
    return None if own is None or (own.methods is not None and operation.method not in own.methods) else own


def _pattern(origin: str) -> str:
    before, after = origin.split("*", 1)
    return f"{_literal(before)}[a-z0-9-]+([.][a-z0-9-]+)*{_literal(after)}"


def _literal(text: str) -> str:
    """A text as a regex without a backslash: it also stands inside a string literal of CEL."""
    return re.sub("[.+]", lambda sign: f"[{sign[0]}]", text)


def _read(value: Mapping[str, Any]) -> Cors:
    return Cors(
        origins=tuple(sorted(set(value["origins"]))),
        methods=tuple(sorted(set(value["methods"]))) if "methods" in value else None,
        headers=_names(value.get("headers", ())),
        expose=_names(value.get("expose", ())),
        credentials=value.get("credentials", False),
        max_age=int(seconds(value["maxAge"])) if "maxAge" in value else None,
    )


def _names(written: Any) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for name in written}))


def _check(value: Cors, operation: Operation, site: Site) -> Iterator[Problem]:
    if ANY in value.origins and value.credentials:
        yield Problem(
            "every origin together with credentials would let any page act as the user who visits it",
            "/credentials",
            "name the origins, or leave `credentials` out",
        )
    if ANY in value.origins and len(value.origins) > 1:
        yield Problem("beside `*` the other origins say nothing", "/origins", "name the origins, or write `*` alone")
    for origin in value.exact:
        scheme, _, host = origin.partition("://")
        if host.endswith(f":{_DEFAULT_PORTS.get(scheme)}"):
            yield Problem(f"no browser sends the default port with an origin: `{origin}`", "/origins", "leave it out")


def _check_all(value: Cors, held: Sequence[Operation], near: Sequence[Operation]) -> Iterator[Problem]:
    for method in sorted(set(value.methods or ()) - {operation.method for operation in near}):
        preflight = method == "OPTIONS"
        help_ = "preflights are answered without it" if preflight else "leave `methods` out for all that the path has"
        yield Problem(f"no operation here has the method {method}", "/methods", help_)


_TEXTS = {"type": "array", "items": {"type": "string", "pattern": _TOKEN}, "uniqueItems": True, "maxItems": 64}

CORS = Feature(
    key="cors",
    field="cors",
    schema={
        "type": "object",
        "description": "which pages of other origins may call the operation; preflights are answered by the proxy",
        "required": ["origins"],
        "additionalProperties": False,
        "properties": {
            "origins": {
                "type": "array",
                "minItems": 1,
                "maxItems": 64,
                "items": {"type": "string", "pattern": ORIGIN},
                "description": "origins as browsers send them, https://app.example.com; https://*.example.com; or * alone",
            },
            "methods": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "pattern": "^[A-Z]+$"},
                "description": "which of the path's methods (GET, PUT, ...); all if left out",
            },
            "headers": {
                **_TEXTS,
                "description": "request headers that pages may set beside those that the contract declares",
            },
            "expose": {**_TEXTS, "description": "response headers that pages may read"},
            "credentials": {"type": "boolean", "description": "whether cookies and client certificates are sent along"},
            "maxAge": {**DURATION, "description": "how long a browser may remember a preflight's answer: 10m"},
        },
    },
    read=_read,
    check=_check,
    check_all=_check_all,
    said=lambda value: (
        f"pages of {', '.join(value.origins)} may call it; preflights are answered by Envoy's cors filter"
    ),
)
