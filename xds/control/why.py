"""A recorded request -> why it was refused or allowed: the contract's line, the policy's line, what would pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from xds.compile import Compilation
from xds.diagnostics import Span
from xds.envoy.replies import REPLIES
from xds.model import Credential, Gateway, JwtScheme, Operation, Place, Version
from xds.native.rates import SHARED, RateLimit
from xds.settings import FILE
from xds.source import excerpt, span

Files = Mapping[str, bytes]
Record = Mapping[str, Any]


def why(record: Record, compilation: Compilation, files: Files) -> dict[str, Any]:
    """Explain a companion's record, or a line of Envoy's access log that refused.

    Returns `request`, `verdict`, `operation`, `causes` (each with `place` as file:line:column, the `source` line there and
    `what`), `pass` (what to change, a line each; empty for a request that passed) and the record itself.
    """
    version, operation = _operation(record, compilation.gateway)
    limit = _limit(record, operation, compilation.gateway, files) if operation else None
    causes = [limit] if limit else list(_causes(record, operation, files))
    return {
        "request": f"{record.get('method')} {record.get('path')}",
        "verdict": _verdict(record),
        "operation": f"{version.service} {version.name} {operation.id}" if version and operation else None,
        "digest": record.get("digest"),
        "revision": record.get("revision"),
        "causes": causes,
        "pass": list(_pass(record, operation, compilation)),
        "record": dict(record),
    }


def _verdict(record: Record) -> str:
    code, status = record.get("code"), record.get("status")
    if code is None:
        return "allowed"
    if record.get("mode") == "report" and int(status or 0) < 400:
        return f"allowed in report mode; enforced it would be refused: {code}"
    return f"refused with {status} {code}"


def _operation(record: Record, gateway: Gateway) -> tuple[Version | None, Operation | None]:
    for service in gateway.services:
        for version in service.versions:
            if (version.service, version.name) == (record.get("service"), record.get("version")):
                return version, next((o for o in version.operations if o.id == record.get("operation")), None)
    return None, None


def _causes(record: Record, operation: Operation | None, files: Files) -> Iterator[dict[str, Any]]:
    """What decided, each with its place: violated keywords, the policy's rule, else the operation itself."""
    violations = record.get("violations") or ()
    for violation in violations:
        file, _, pointer = str(violation.get("schema") or "").partition("#")
        place = Place(file, pointer) if file in files else operation.place if operation else None
        what = f"{violation['location']} {violation['pointer'] or '(whole)'}: {violation['detail']}"
        yield _cause(span(files, place) if place else None, what, files)
    rule = (record.get("decision") or {}).get("rule")
    if rule:
        allowed = record["decision"].get("allowed")
        what = "this rule allows it" if allowed else str(record.get("reason") or "this rule did not hold")
        yield _cause(Span(rule["file"], rule["line"], rule["column"]), what, files)
    elif operation and not violations:
        yield _cause(span(files, operation.place), _word(record, operation), files)


def _limit(record: Record, operation: Operation, gateway: Gateway, files: Files) -> dict[str, Any] | None:
    """The limit that had no room: of the operation, of everything, or of a plan."""
    if record.get("code") != "rate-limited":
        return None
    told = _EMPTY.match(str(record.get("limits")))
    name, store = (record["limit"], None) if record.get("limit") else (told[1] if told else None, SHARED)
    known: list[tuple[RateLimit, Span]] = []
    if (setting := operation.settings.get("rateLimits")) is not None:
        for index, limit in enumerate(operation.native.rate_limits):
            place = Place(setting.place.file, f"{setting.place.pointer}/{index}")
            known.append((limit, setting.rule or span(files, place)))
    shared = (
        ("/rateLimits", gateway.edge.rate_limits),
        *((f"/plans/{p.name}/rateLimits", p.limits) for p in gateway.edge.plans),
    )
    known += [
        (limit, span(files, Place(FILE, f"{at}/{index}"))) for at, some in shared for index, limit in enumerate(some)
    ]
    at = next((one for one in known if one[0].name == name and store in (None, one[0].store)), None)
    return _cause(at[1], f"there is no room in {at[0]}", files) if at else None


_EMPTY = re.compile(r'"([a-z0-9-]+)";r=0;')
"""A shared limit that has no room, as `RateLimit` tells it; the line has a member of its own for those of the proxy."""


def _word(record: Record, operation: Operation) -> str:
    """What to say where neither a schema nor a single rule decided."""
    if record.get("reason"):
        return str(record["reason"])
    if code := record.get("code"):
        return next((reply.detail for reply in REPLIES if reply.code == code), str(code))
    if operation.policy.exempt is not None:
        return f"no policy is asked: {operation.policy.exempt}"
    return "the contract holds and the policy allows it" if record.get("decision") else "the contract holds"


def _cause(at: Span | None, what: str, files: Files) -> dict[str, Any]:
    line = excerpt(files, at) if at and at.line else None
    return {"place": str(at) if at else None, "source": line.strip()[:160] if line else None, "what": what}


def _pass(record: Record, operation: Operation | None, compilation: Compilation) -> Iterator[str]:
    code = str(record.get("code") or "")
    if not code:
        return
    for violation in record.get("violations") or ():
        name = violation["pointer"].removeprefix("/") or "(whole)"
        known = not violation["code"].startswith("unknown-")
        yield (
            f"{violation['location']} {name}: {violation['detail']}"
            if known
            else f"{violation['location']} without {name}"
        )
    if code.startswith("token-"):
        yield from _tokens(operation, compilation)
    elif code.startswith("credentials-"):
        yield from _ways_in(operation)
    elif code == "insufficient-scope":
        yield f"a token with what lacks: {record.get('reason')}"
    elif code in ("policy-denied", "policy-undefined"):
        yield f"a request for which the rule holds: {record.get('reason') or 'read the rule above'}"
    elif code.startswith("policy-"):
        yield "nothing that the client can change: the policy or its engine failed"
    elif code == "rate-limited":
        yield "the same request later: Retry-After says when"
    elif code == "not-found":
        yield "a path of a contract: see `sidegate explain` or GET /services of the management API"
    elif code == "method-not-allowed":
        methods = _methods(str(record.get("path")), compilation.gateway)
        yield f"a method that the path has: {', '.join(methods)}" if methods else "a method that the path has"


def _ways_in(operation: Operation | None) -> Iterator[str]:
    """The alternatives of an operation, one a line."""
    for alternative in operation.security if operation else ():
        together = " and ".join(f"{c.kind} {c.scheme}{_carried(c)}" for c in alternative.credentials)
        yield together or "no credentials at all, and no wrong ones"


def _carried(credential: Credential) -> str:
    return f" in the {credential.place} {credential.name}" if credential.place else ""


def _tokens(operation: Operation | None, compilation: Compilation) -> Iterator[str]:
    names = {c.scheme for a in operation.security for c in a.credentials} if operation else set()
    for scheme in compilation.gateway.schemes:
        if scheme.name in names and isinstance(scheme, JwtScheme):
            audiences = " or ".join(scheme.audiences)
            yield f"Authorization: Bearer with an unexpired token of {scheme.issuer} for {audiences}, signed with a known key"


def _methods(path: str, gateway: Gateway) -> list[str]:
    operations = [o for s in gateway.services for v in s.versions for o in v.operations]
    return sorted({o.method for o in operations if o.path.text == path})
