"""A request that is validated and decided on -> its CPU, all processes counted."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench import projects
from tests.bench.hop import Hop
from tests.bench.load import Target, noise, request, rounds
from tests.bench.row import Row, ratio_row
from tests.e2e.gateway import Gateway
from tests.e2e.tokens import Issuer

GROUP = "CPU a request through the companion (token, parameters or body, Rego)"
COUNT, TIMES = 800, 7
GOAL = 7.0
OLD = "GET, five typed parameters, token, policy; the policy's answer is known"
NEW = "GET, five typed parameters, token, policy that reads one of them; a new question each time"
BODY = "POST, JSON of 20 fields, 1 kB, token, policy"


def measure(folder: Path) -> list[Row]:
    """Bare hop and gateway in turn. `sidegate up` tails the access log, which only it does: it has a row of its own."""
    issuer = Issuer()
    token = f"authorization: Bearer {issuer.token(scope='items:read items:write')}"
    typed = ("limit=10&sort=name&tags=a&tags=b", token, "x-tenant: acme")
    texts = {
        OLD: [request(f"/v1/items/42?{typed[0]}", *typed[1:])],
        NEW: [request(f"/v1/owned/{n}?{typed[0]}", *typed[1:]) for n in range(1, 20_000)],
        BODY: [request("/v1/items", token, "content-type: application/json", method="POST", body=_body())],
    }
    with Hop(folder) as hop:
        project = projects.write(folder / "typed", projects.typed(), upstream=hop.upstream, issuer=issuer)
        with Gateway(project) as gateway:
            bare = {"envoy": lambda: [hop.pid]}
            roles = {name: partial(_pids, gateway, name) for name in ("envoy", "companion", "engine", "control plane")}
            targets = [
                target
                for what, sent in texts.items()
                for target in (
                    Target(f"bare {what}", hop.port, sent, bare),
                    Target(f"gateway {what}", gateway.port, sent, roles),
                )
            ]
            found = rounds(targets, COUNT, TIMES)
    rows: list[Row] = []
    for what in texts:
        rows += _rows(what, found[f"bare {what}"], found[f"gateway {what}"], None if what == BODY else GOAL)
    spread = max(noise(samples) for name in ("envoy", "companion") for samples in [found[f"gateway {NEW}"][name]])
    return [*rows, Row(GROUP, "spread of the rounds (middle half, the widest)", f"{spread:.0%}")]


def _body() -> bytes:
    fields = {f"field{n:02}": f"value number {n:03} of twenty fields" for n in range(projects.FIELDS)}
    return json.dumps(fields).encode()


def _rows(label: str, bare: dict[str, list[float]], gateway: dict[str, list[float]], goal: float | None) -> list[Row]:
    base = statistics.median(bare["envoy"])
    parts = {role: statistics.median(samples) for role, samples in gateway.items()}
    whole = sum(parts[role] for role in ("envoy", "companion", "engine"))
    each = [ratio_row(GROUP, f"{label}: of that, {role}", "µs", (base, parts[role])) for role in ("envoy", "companion")]
    return [
        ratio_row(GROUP, label, "µs", (base, whole), goal),
        *each,
        ratio_row(GROUP, f"{label}: of that, policy engine's workers", "µs", (base, parts["engine"])),
        ratio_row(
            GROUP, f"{label}: with the control plane under `sidegate up`", "µs", (base, whole + parts["control plane"])
        ),
    ]


def _pids(gateway: Gateway, role: str) -> list[int]:
    return [pid for pid, found in _roles(gateway).items() if found == role]


_known: dict[int, dict[int, str]] = {}


def _roles(gateway: Gateway) -> dict[int, str]:
    """pid -> role. Looked up once a gateway: no process comes or goes in a measurement."""
    if gateway.pid not in _known:
        naming: Callable[[str], str] = lambda command: (  # noqa: E731
            "engine" if "worker.py" in command else "companion" if "sidecar" in command else "envoy"
        )
        rows = {p.pid: naming(p.command) for p in gateway.processes()}
        _known[gateway.pid] = {**rows, gateway.pid: "control plane"}
    return _known[gateway.pid]
