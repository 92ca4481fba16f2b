"""Operation -> how it is guarded: where each check runs and why there, and the policy bound to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from xds.contract.diff.allowances import of_operation
from xds.model import Endpoint, Operation, Place, Upstream, Version
from xds.model.requirement import in_proxy, mixed
from xds.native.patches import Patch
from xds.native.plans import Plan
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
    version: Version,
    operation: Operation,
    bundle: Bundle | None,
    files: Mapping[str, bytes],
    patches: Iterable[Patch] = (),
    plans: Iterable[Plan] = (),
) -> dict[str, Any]:
    """Everything about one operation: its route, each check with placement and reason, the limits that come from plans,
    and the policy bound to it."""
    entrypoint = operation.policy.entrypoint or (bundle.default_entrypoint if bundle else None)
    places = bundle.rules.get(entrypoint, ()) if bundle and entrypoint else ()
    return {
        "service": version.service,
        "version": version.name,
        "operation": operation.id,
        "digest": version.digest,
        "contract": where(operation.place, files),
        "route": f"{operation.method} {operation.path.text}{named(operation)}{going(operation)}",
        "upstream": upstream(version.upstream),
        "authentication": authentication(operation),
        "mode": operation.mode.value,
        "checks": [{"check": c.kind, "placement": c.placement.value, "reason": c.reason} for c in operation.checks],
        "plans": [{"plan": name, "limit": limit} for name, limit in planned(operation, plans)],
        "policy": {
            "rule": entrypoint,
            "exempt": operation.policy.exempt,
            "revision": bundle.revision if bundle else None,
            "places": [str(place) for place in places],
        },
        "may break": [
            {"change": entry.id, "reason": entry.reason}
            for entry in of_operation(operation)
            if entry.covers(entry.id, (f"{operation.method} {operation.path.text}",))
        ],
        "patches": [
            {
                "patch": p.name,
                "resource": p.resource,
                "merge": p.merge,
                "accept": p.accept,
                "place": where(p.place, files),
            }
            for p in touching(version, operation, patches)
        ],
    }


def planned(operation: Operation, plans: Iterable[Plan]) -> list[tuple[str, str]]:
    """Plan and limit, for each that may count a request: only where the proxy's program says whose key it is."""
    if not (mixed(operation) and in_proxy(operation)):
        return []
    return [(plan.name, str(limit)) for plan in plans for limit in plan.limits]


def named(operation: Operation) -> str:
    """How a request names the operation's version, in brackets behind method and path; nothing if its path is its own."""
    choice = operation.native.version
    if choice is None:
        return ""
    return f" ({choice.shown}{', or none' if choice.default else ''})"


def going(operation: Operation) -> str:
    """That an operation is deprecated, and when it goes away, in brackets; nothing for all others."""
    deprecated, sunset = operation.native.deprecated, operation.native.sunset
    words = ("deprecated" if deprecated else "", f"gone from {sunset.text} on" if sunset else "")
    return f" ({', '.join(filter(None, words))})" if any(words) else ""


def touching(version: Version, operation: Operation, patches: Iterable[Patch]) -> list[Patch]:
    """The patches of sidegate.yaml that an operation's requests meet: its own, and those of every listener."""
    cluster = f"{version.service}/{version.name}"
    own = {"cluster": cluster, "route": f"{cluster}/{operation.id}"}
    return [p for p in patches if p.resource not in own or p.touches(p.resource, own[p.resource])]


def upstream(found: Upstream) -> str:
    """Where a version's requests go, and how they are shared, in a line."""
    traffic = found.traffic
    addresses = [
        f"{found.scheme}://{e.host}:{e.port}" + (f" (weight {e.weight})" if e.weight != 1 else "") for e in _all(found)
    ]
    balance = traffic.balance
    words = [f"{balance.kind} by {':'.join(filter(None, (balance.source, balance.name)))}"] if balance.source else []
    words += [balance.kind] if not balance.source and len(addresses) > 1 else []
    words += [f"health by {traffic.health.path}"] if traffic.health else []
    words += ["endpoints by EDS"] if traffic.discovered else []
    words += [f"transcoded to {', '.join(traffic.transcoding.services)}"] if traffic.transcoding else []
    return ", ".join(addresses) + (f": {'; '.join(words)}" if words else "")


def _all(found: Upstream) -> tuple[Endpoint, ...]:
    return found.endpoints or (Endpoint(found.host, found.port),)


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


def where(place: Place, files: Mapping[str, bytes]) -> str:
    """`file:line:column` of a place."""
    return str(span(files, place))
