"""Compilation, Dev -> what `sidegate up` prints first: the address, the operations, requests to try."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping

from xds.address import Address
from xds.compile import Compilation
from xds.dev import Dev, Try
from xds.explain import authentication, policy
from xds.model import Gateway, Operation, Version
from xds.terminal import Palette, clean, table

MOST_ROWS = 60
"""Operations that are listed; `sidegate explain` and the management API know them all."""


def banner(compilation: Compilation, listen: Address, management: Address, palette: Palette) -> str:
    """Where the gateway listens and what it lets through."""
    rows = [
        (
            v.service,
            v.name,
            clean(f"{o.method} {o.path.text}"),
            clean(authentication(o)),
            clean(policy(o, compilation.bundles.get(v.service))),
            placement(o),
        )
        for v, o in _operations(compilation.gateway)
    ]
    lines = table([("SERVICE", "VERSION", "OPERATION", "TOKEN", "POLICY", "CHECKS"), *rows[:MOST_ROWS]])
    lines[0] = palette.paint(lines[0], "bold")
    if len(rows) > MOST_ROWS:
        lines.append(f"  ... and {len(rows) - MOST_ROWS} more: curl http://{management}/services")
    ready = f"{palette.paint('ready', 'green', 'bold')}: the gateway listens on http://{listen}"
    return "\n".join([f"{ready}, its management API on http://{management}", "", *lines])


def placement(operation: Operation) -> str:
    """`native: route token; companion: parameters body policy`."""
    by_place: dict[str, list[str]] = {}
    for check in operation.checks:
        by_place.setdefault(check.placement.value, []).append(check.kind)
    return "; ".join(f"{place}: {' '.join(kinds)}" for place, kinds in by_place.items())


def curl_lines(tries: tuple[Try, ...], tokens: Mapping[str, str], listen: Address, palette: Palette) -> str:
    """Each request as a curl command that works as pasted, below a comment with what to expect."""
    lines = []
    for each in tries:
        comment = " - ".join(filter(None, (each.title, f"expect {each.expect}" if each.expect else "")))
        lines.append(palette.paint(f"# {clean(comment)}", "dim"))
        lines.append(curl(each, tokens.get(each.token or ""), listen))
    return "\n".join(lines)


def curl(request: Try, token: str | None, listen: Address) -> str:
    """The request as one shell line."""
    words = ["curl", "-i"]
    if request.method != "GET":
        words += ["-X", request.method]
    words.append(f"http://{listen}{request.path}")
    if token is not None:
        words += ["-H", f"authorization: Bearer {token}"]
    for name, value in request.headers.items():
        words += ["-H", f"{name}: {value}"]
    if request.body is not None:
        words += ["-H", "content-type: application/json", "-d", json.dumps(request.body)]
    return clean(shlex.join(words))


def suggestions(gateway: Gateway, dev: Dev) -> tuple[Try, ...]:
    """Requests to try in a project that lists none: what should pass, with and without a token; a missing token, a 404 and
    a 405."""
    token = next(iter(dev.tokens), None)
    plain = [o for _, o in _operations(gateway) if o.method == "GET" and _needs_nothing(o)]
    guarded = [o for o in plain if o.security]
    passing = [o for o in plain if not o.security][:1] + (guarded[:1] if token else [])
    made = [Try("allowed, if the upstream answers", "GET", o.path.text, token if o.security else None) for o in passing]
    made += [Try("a missing token", "GET", o.path.text, expect="401") for o in guarded[:1]]
    made.append(Try("a path that no contract has", "GET", "/no/such/path", expect="404"))
    for path, methods in _methods(gateway).items():
        if "{" not in path and "DELETE" not in methods:
            made.append(
                Try("a method that the path has not", "DELETE", path, expect=f"405 Allow: {', '.join(methods)}")
            )
            break
    return tuple(made)


def _needs_nothing(operation: Operation) -> bool:
    return operation.body is None and not any(p.required for p in operation.parameters)


def _methods(gateway: Gateway) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for _, operation in _operations(gateway):
        found.setdefault(operation.path.text, []).append(operation.method)
    return found


def _operations(gateway: Gateway) -> Iterator[tuple[Version, Operation]]:
    for service in gateway.services:
        for version in service.versions:
            for operation in version.operations:
                yield version, operation
