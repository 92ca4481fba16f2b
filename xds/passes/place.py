"""Version -> Version with the checks of each operation, where each runs, and why there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xds.model import Check, Mode, Operation, Placement, Schemas, SchemeKind, Version
from xds.model.requirement import CREDENTIALS, SCOPES, mixed, scoped
from xds.native import said
from xds.passes.form import plain_of
from xds.passes.kept import Kept


def place(version: Version) -> Version:
    """Fill in `Operation.checks` for every operation of a version."""
    placed = _placed(version)
    return replace(version, operations=tuple([_formed(operation, version.schemas) for operation in placed]))


_placed = Kept(lambda operation: replace(operation, checks=tuple(checks_of(operation))))


def _formed(operation: Operation, schemas: Schemas) -> Operation:
    """The operation with the form of its plain requests. Not kept: an operation stays the same when a schema changes."""
    form = plain_of(operation, schemas)
    if form == operation.plain:
        return operation
    formed = replace(operation, plain=form)
    return replace(formed, checks=tuple(checks_of(formed)))


def checks_of(operation: Operation) -> Iterator[Check]:
    """The checks of one operation, in the order in which they answer."""
    yield Check("route", Placement.NATIVE, "host, path and method are matched by Envoy's routes")
    if any(c.kind is SchemeKind.JWT for alternative in operation.security for c in alternative.credentials):
        yield Check(
            "token", Placement.NATIVE, "signature, issuer, audience and expiry are checked by Envoy's jwt_authn"
        )
    if mixed(operation):
        yield Check(CREDENTIALS, Placement.IN_PROXY, _credentials(operation))
    for kind, reason in said(operation.native):
        yield Check(kind, Placement.NATIVE, reason)
    if operation.mode is not Mode.OFF:
        where = Placement.NATIVE if operation.plain and operation.plain.whole else Placement.COMPANION
        yield Check("parameters", where, _parameters(operation) + _plain(operation, "a query"))
        yield Check("body", where, _body(operation) + _plain(operation, "a body"))
    if scoped(operation):
        yield _scopes(operation)
    if operation.mode is not Mode.OFF and operation.policy.exempt is None:
        yield Check("policy", Placement.COMPANION, "Rego is evaluated by the companion's engine")


def _credentials(operation: Operation) -> str:
    """The alternatives as a person says them."""
    alternatives = (" and ".join(c.scheme for c in a.credentials) or "nothing" for a in operation.security)
    return f"{', or '.join(dict.fromkeys(alternatives))}: keys are compared by their SHA-256 in Envoy's Lua filter"


def _scopes(operation: Operation) -> Check:
    compared = "the verified token's are compared in Envoy's Lua filter"
    if operation.mode is Mode.OFF:
        return Check(SCOPES, Placement.IN_PROXY, compared)
    if operation.plain:
        later = "; of requests whose form does not tell that they keep the contract, the companion refuses after that"
        return Check(SCOPES, Placement.IN_PROXY, compared + later)
    return Check(SCOPES, Placement.COMPANION, "answered after the contract's checks, so that 400 comes before 403")


def _parameters(operation: Operation) -> str:
    count = len(operation.parameters)
    undeclared = (
        "undeclared query parameters pass" if operation.query_open else "undeclared query parameters are refused"
    )
    return f"{count} declared, decoded and judged by their schemas; {undeclared}"


def _plain(operation: Operation, without: str) -> str:
    """What the route sees by itself."""
    if operation.plain is None:
        return ""
    others = "judged" if not operation.plain.whole else "sent to the companion, for the words of their refusal"
    if operation.plain.queries and without == "a query":
        without = "a query, or with one of plain texts,"
    return f"; the route tells that a request without {without} keeps it, and only others are {others}"


def _body(operation: Operation) -> str:
    if operation.body is None:
        return "none is declared, so one that comes is refused"
    return f"judged by its schema ({', '.join(media.range for media in operation.body.media)}), whole"
