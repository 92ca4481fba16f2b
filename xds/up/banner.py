"""Compilation, Dev -> what `sidegate up` prints first: the address, the operations, requests to try."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xds.address import Address
from xds.compile import Compilation
from xds.dev import Dev, Try
from xds.explain import authentication, going, named, policy
from xds.model import Gateway, Operation, Version
from xds.terminal import Palette, clean, table

MOST_ROWS = 60
"""Operations that are listed; `sidegate explain` and the management API know them all."""


@dataclass(frozen=True, slots=True)
class Front:
    """How the gateway is reached: the URL, and what curl must be told to find it there."""

    url: str
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, gateway: Gateway, listen: Address) -> Front:
        """The first listener that serves in the clear, else the first with TLS, by a name that its certificate has."""
        serving = sorted((x for x in gateway.listeners if x.redirect is None), key=lambda x: x.tls is not None)
        if not serving:
            return cls(f"http://{listen}")
        first = serving[0]
        at = Address(_LOCAL.get(first.host, first.host), first.port)
        known = {secret.name: secret.names for secret in gateway.secrets}
        offered = first.tls.certificates if first.tls else ()
        names = first.hosts or tuple(name for each in offered for name in known.get(each.secret, ()))
        scheme, words = ("http", ()) if first.tls is None else ("https", ("-k",))
        if not names:
            return cls(f"{scheme}://{at}", words)
        name = names[0].replace("*", "www", 1)
        return cls(f"{scheme}://{name}:{first.port}", (*words, "--resolve", f"{name}:{first.port}:{at.host}"))


_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def addresses(gateway: Gateway, listen: Address) -> str:
    """Where the gateway listens, in a line."""
    found = []
    for each in gateway.listeners:
        said = f"{'http' if each.tls is None else 'https'}://{Address(each.host, each.port)} ({each.name}"
        said += f", to {each.redirect}" if each.redirect else ""
        found.append(f"{said}{', HTTP/3' if each.http3 else ''})")
    return ", ".join(found) or f"http://{listen}"


def banner(compilation: Compilation, listen: Address, management: Address, palette: Palette) -> str:
    """Where the gateway listens and what it lets through."""
    rows = [
        (
            v.service,
            v.name,
            clean(f"{o.method} {o.path.text}{named(o)}{going(o)}"),
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
    ready = (
        f"{palette.paint('ready', 'green', 'bold')}: the gateway listens on {addresses(compilation.gateway, listen)}"
    )
    return "\n".join([f"{ready}, its management API on http://{management}", "", *lines])


def placement(operation: Operation) -> str:
    """`native: route token; companion: parameters body policy`."""
    by_place: dict[str, list[str]] = {}
    for check in operation.checks:
        by_place.setdefault(check.placement.value, []).append(check.kind)
    return "; ".join(f"{place}: {' '.join(kinds)}" for place, kinds in by_place.items())


def curl_lines(tries: tuple[Try, ...], tokens: Mapping[str, str], listen: Address | Front, palette: Palette) -> str:
    """Each request as a curl command that works as pasted, below a comment with what to expect."""
    lines = []
    for each in tries:
        comment = " - ".join(filter(None, (each.title, f"expect {each.expect}" if each.expect else "")))
        lines.append(palette.paint(f"# {clean(comment)}", "dim"))
        lines.append(curl(each, tokens.get(each.token or ""), listen))
    return "\n".join(lines)


def curl(request: Try, token: str | None, listen: Address | Front) -> str:
    """The request as one shell line."""
    front = listen if isinstance(listen, Front) else Front(f"http://{listen}")
    words = ["curl", "-i", *front.words]
    if request.method != "GET":
        words += ["-X", request.method]
    words.append(f"{front.url}{request.path}")
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
    plain = [o for _, o in _unnamed(gateway) if o.method == "GET" and _needs_nothing(o)]
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
    for _, operation in _unnamed(gateway):
        found.setdefault(operation.path.text, []).append(operation.method)
    return found


def _unnamed(gateway: Gateway) -> Iterator[tuple[Version, Operation]]:
    """The operations that a request means which names no version."""
    for version, operation in _operations(gateway):
        choice = operation.native.version
        if choice is None or choice.default:
            yield version, operation


def _operations(gateway: Gateway) -> Iterator[tuple[Version, Operation]]:
    for service in gateway.services:
        for version in service.versions:
            for operation in version.operations:
                yield version, operation
