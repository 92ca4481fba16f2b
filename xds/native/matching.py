"""`match: {headers: {x-beta: "1"}, query: {flavour: sweet}}` -> which requests of a path and method an operation is for.

A header that a request has twice must have the value both times, and a parameter must be there once. A concrete path whose
conditions do not hold is 404, also where a template would match it: concrete paths go first (OpenAPI, Paths Object).

Versions may share a path if what they match tells them apart: then a header or a query parameter chooses the version, and
with it contract, policy and service. What a client sends only chooses; it proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site
from xds.native.versions import Choice
from xds.source.pointer import escape

if TYPE_CHECKING:
    from xds.model import Operation
    from xds.native import Native

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of them must hold: names, of headers in small letters, and the one value that each must have; and the version
    that a request must name."""

    headers: Pairs = ()
    query: Pairs = ()
    version: Choice | None = None

    @property
    def each(self) -> frozenset[tuple[str, str, str]]:
        """All conditions in one set."""
        return frozenset(("header", *pair) for pair in self.headers) | {("query", *pair) for pair in self.query}


NONE = Conditions()


def conditions_of(native: Native) -> Conditions:
    """All that a request must have beside path and method for it to be an operation's."""
    return replace(native.match or NONE, version=native.version)


def apart(one: Conditions | None, other: Conditions | None) -> bool:
    """Whether for every request it is clear which of two is meant: no request meets both, or one asks for all that the other
    asks for, and more; then it is tried first. Where one names a version, both must."""
    mine_, theirs_ = one or NONE, other or NONE
    if mine_.version or theirs_.version:
        return bool(mine_.version and theirs_.version and mine_.version.clear_of(theirs_.version))
    mine, theirs = mine_.each, theirs_.each
    if mine < theirs or theirs < mine:
        return True
    values = {(kind, name): value for kind, name, value in mine}
    return any(values.get((kind, name), value) != value for kind, name, value in theirs)


def _read(value: Mapping[str, Mapping[str, str]]) -> Conditions:
    headers = sorted((name.lower(), text) for name, text in value.get("headers", {}).items())
    return Conditions(tuple(headers), tuple(sorted(value.get("query", {}).items())))


def _check(value: Conditions, operation: Operation, site: Site) -> Iterator[Problem]:
    for name, text in value.headers:
        if name.startswith(("x-sidegate-", "x-envoy-")) or name in ("host", "content-length", "transfer-encoding"):
            yield Problem(f"'{name}' is not a client's to choose by", "/headers", "use a header of your own")
        elif "," in text:
            message = f"'{text}' could come in two headers, which mean one with a comma (RFC 9110, section 5.3)"
            yield Problem(message, f"/headers/{escape(name)}", "a value without a comma")
    declared = {(str(p.location), p.name) for p in operation.parameters}
    open_ = operation.query_open or any(kind == "querystring" for kind, _ in declared)
    for name, _ in value.query:
        if ("query", name) not in declared and not open_:
            message = f"the contract has no query parameter '{name}', so every request that matches is refused"
            yield Problem(message, f"/query/{escape(name)}", "declare it under `parameters`")


def _values(description: str, names: str) -> Mapping[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": names},
        "additionalProperties": {"type": "string", "maxLength": 1024, "description": "the one value, as a text"},
        "description": description,
    }


def _said(value: Conditions) -> str:
    return "only for requests with " + ", ".join(f"{kind} {name}: {text}" for kind, name, text in sorted(value.each))


MATCH = Feature(
    key="match",
    field="match",
    schema={
        "type": "object",
        "description": "which requests of its path and method the operation is for: {headers: {x-beta: '1'}}",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            "headers": _values("headers and the value that each must have", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"),
            "query": _values("query parameters and the value that each must have", "^[^\\s&=#]+$"),
        },
    },
    read=_read,
    check=_check,
    said=_said,
)
