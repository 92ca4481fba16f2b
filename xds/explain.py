"""Operation, or a recorded decision -> why: where each check runs, what decided, what would pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xds.model import Operation, Place, Version
from xds.policy.bundle import Bundle
from xds.source import span


def operation_rows(version: Version) -> list[dict[str, Any]]:
    """A version's operations as `up` and the management API list them."""
    return [
        {
            "service": version.service,
            "version": version.name,
            "operation": o.id,
            "method": o.method,
            "path": o.path.text,
            "authentication": authentication(o),
            "policy": policy(o, None),
            "mode": o.mode.value,
            "placement": {c.kind: c.placement.value for c in o.checks},
        }
        for o in version.operations
    ]


def explain_operation(
    version: Version, operation: Operation, bundle: Bundle | None, files: Mapping[str, bytes]
) -> dict[str, Any]:
    """Everything about one operation: its route, each check with placement and reason, and the policy bound to it."""
    entrypoint = operation.policy.entrypoint or (bundle.default_entrypoint if bundle else None)
    places = bundle.rules.get(entrypoint, ()) if bundle and entrypoint else ()
    return {
        "service": version.service,
        "version": version.name,
        "operation": operation.id,
        "digest": version.digest,
        "contract": where(operation.place, files),
        "route": f"{operation.method} {operation.path.text}",
        "upstream": f"{version.upstream.scheme}://{version.upstream.host}:{version.upstream.port}",
        "authentication": authentication(operation),
        "mode": operation.mode.value,
        "checks": [{"check": c.kind, "placement": c.placement.value, "reason": c.reason} for c in operation.checks],
        "policy": {
            "rule": entrypoint,
            "exempt": operation.policy.exempt,
            "revision": bundle.revision if bundle else None,
            "places": [str(place) for place in places],
        },
    }


def authentication(operation: Operation) -> str:
    """The security requirements in a line: alternatives with `or`, schemes of one with `and`."""
    if not operation.security:
        return "none"
    alternatives = (
        " and ".join(c.scheme + (f"({' '.join(c.scopes)})" if c.scopes else "") for c in alternative.credentials)
        for alternative in operation.security
    )
    return " or ".join(text or "anonymous" for text in alternatives)


def policy(operation: Operation, bundle: Bundle | None) -> str:
    """What decides an operation, in a line."""
    if operation.policy.exempt is not None:
        return f"none: {operation.policy.exempt}"
    entrypoint = operation.policy.entrypoint or (bundle.default_entrypoint if bundle else None)
    return entrypoint or "the service's default"


def explain_record(record: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """A decision record with the places that decided and what would pass.

    `contract` are the lines of the violated keywords, `policy` the rule's line; `pass` says what to change.
    """
    violations = record.get("violations") or []
    lines = []
    for violation in violations:
        file, _, pointer = str(violation.get("schema") or "").partition("#")
        at = where(Place(file, pointer), files) if file in files else None
        lines.append({**violation, "line": at})
    decision = record.get("decision") or {}
    rule = decision.get("rule")
    policy_line = f"{rule['file']}:{rule['line']}" if isinstance(rule, Mapping) and rule.get("line") else None
    return {**record, "violations": lines, "policy": policy_line, "pass": _would_pass(record, lines, policy_line)}


def _would_pass(record: Mapping[str, Any], lines: list[dict[str, Any]], policy_line: str | None) -> str:
    code = record.get("code")
    if code is None:
        return "it passed"
    if lines:
        return "; ".join(
            f"{v['in' if 'in' in v else 'location']} {v['pointer'] or 'body'}: {v['detail']}" for v in lines
        )
    if code == "insufficient-scope":
        return f"a token with it: {record.get('reason')}"
    if str(code).startswith("policy-"):
        return f"{record.get('reason') or 'the policy says no'} ({policy_line or 'see the policy'})"
    return str(record.get("reason") or record.get("details") or code)


def where(place: Place, files: Mapping[str, bytes]) -> str:
    """`file:line:column` of a place."""
    return str(span(files, place))
