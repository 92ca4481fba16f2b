"""Native features -> what they cost: token, API key, limit and cache, all in Envoy, against a bare hop of the same run."""

from __future__ import annotations

import os
import signal
import statistics
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import yaml

from tests.bench import projects
from tests.bench.by_hand import ByHand, cached, limited
from tests.bench.hop import Hop
from tests.bench.load import CONNECTIONS, Target, drive, noise, request, rounds
from tests.bench.row import Row, ratio_row
from tests.e2e.gateway import Gateway
from tests.e2e.tokens import Issuer
from xds.keyfile import add

GROUP = "CPU a request through native features (Envoy alone; token cache on)"
COUNT, TIMES = 2500, 7
GOAL, HIT_GOAL = 1.4, 1.5
LIMITED = {"rateLimits": [{"name": "each", "by": ["client"], "limit": 1_000_000, "per": "second"}]}
CASES: dict[str, tuple[str, list[dict[str, list[str]]], dict[str, Any]]] = {
    # what: path, security, x-sidegate
    "GET that anybody may": ("/v1/open", [], {}),
    "GET with token": ("/v1/token", [{"bearer": []}], {}),
    "GET with API key": ("/v1/key", [{"apikey": []}], {}),
    "GET with token and API key": ("/v1/both", [{"bearer": [], "apikey": []}], {}),
    "GET with token, limited": ("/v1/limited", [{"bearer": []}], LIMITED),
    "GET with token and API key, limited": ("/v1/all", [{"bearer": [], "apikey": []}], LIMITED),
    "GET with token, limited, from the cache": (
        "/v1/hit",
        [{"bearer": []}],
        {**LIMITED, "cache": {"ttl": "1h", "shared": True}},
    ),
}
GOALS = {"GET with token, limited": GOAL}
BY_HAND = {
    False: "the same duties alone in an Envoy written by hand: token and limit",
    True: "the same, with a line of log and a trace id for each request",
}
CACHED = "a cache alone in an Envoy written by hand, without token, limit or log"
LIMITED_GET = "GET with token, limited"
HIT = "GET with token, limited, from the cache"
ORDINARY = "a bare hop before an example service"
EXAMPLE = ("examples/serve.py", "--listen")
ITEMS = "/catalog/v1/items"
SPEEDS = (
    ("requests a second from the cache, over a bare hop's before the example catalogue", ORDINARY, HIT, HIT_GOAL),
    ("the same over a bare hop's before a service that does nothing", "bare", HIT, None),
    (f"the same from {CACHED}", "bare", CACHED, None),
)
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apikey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def measure(folder: Path) -> list[Row]:
    """Bare hop and gateway in turn, for CPU and then for requests a second."""
    issuer = Issuer()
    key = add(folder / "consumers.yaml", "bench")
    items = request(ITEMS, f"authorization: Bearer {issuer.token()}")
    sent = {
        what: [request(path, f"authorization: Bearer {issuer.token()}", f"x-api-key: {key}")]
        for what, (path, _, _) in CASES.items()
    }
    with Hop(folder) as hop, Hop(folder, EXAMPLE) as ordinary:
        project = projects.write(folder / "native", _contract(), upstream=hop.upstream, issuer=issuer)
        _configure(project, (folder / "consumers.yaml").read_text())
        with (
            ByHand(folder, limited(hop.upstream, issuer, observed=False)) as least,
            ByHand(folder, limited(hop.upstream, issuer, observed=True)) as observed,
            ByHand(folder, cached) as keeping,
            Gateway(project) as gateway,
        ):
            pid = gateway.roles()["envoy"].pid
            bare = Target("bare", hop.port, sent["GET that anybody may"], {"envoy": lambda: [hop.pid]})
            targets = [Target(what, gateway.port, texts, {"envoy": lambda: [pid]}) for what, texts in sent.items()]
            own = {BY_HAND[False]: least, BY_HAND[True]: observed, CACHED: keeping}
            floor = [
                Target(what, each.port, sent[LIMITED_GET], {"envoy": lambda pid=each.pid: [pid]})
                for what, each in own.items()
            ]
            found = rounds([bare, *floor, *targets], COUNT, TIMES)
            os.kill(gateway.pid, signal.SIGSTOP)  # it tails the access log, which only `sidegate up` does
            try:
                by_name = {target.name: target for target in (bare, *floor, *targets)}
                by_name[ORDINARY] = Target(ORDINARY, ordinary.port, [items], {})
                speed = _speeds([by_name[name] for name in ("bare", ORDINARY, HIT, CACHED)], CONNECTIONS)
                alone = _speeds([by_name[name] for name in ("bare", LIMITED_GET)], 1)
            finally:
                os.kill(gateway.pid, signal.SIGCONT)
    cost = {name: statistics.median(roles["envoy"]) for name, roles in found.items()}
    rows = [ratio_row(GROUP, what, "µs", (cost["bare"], cost[what]), GOALS.get(what)) for what in CASES]
    rows += [ratio_row(GROUP, what, "µs", (cost["bare"], cost[what])) for what in (*BY_HAND.values(), CACHED)]
    open_cost = cost["GET that anybody may"]
    rows += [
        ratio_row(GROUP, f"{what}: over the GET that anybody may", "µs", (open_cost, cost[what])) for what in GOALS
    ]
    one = (1e6 / alone["bare"], 1e6 / alone[LIMITED_GET])
    rows.append(ratio_row(GROUP, f"{LIMITED_GET}: time until the answer, one request after another", "µs", one, GOAL))
    rows += [_faster(what, speed[over], speed[of], goal) for what, over, of, goal in SPEEDS]
    spread = max(noise(roles["envoy"]) for roles in found.values())
    return [*rows, Row(GROUP, "spread of the rounds (middle half, the widest)", f"{spread:.0%}")]


def _faster(what: str, bare: float, found: float, goal: float | None) -> Row:
    ratio = found / bare
    aim = ("", None) if goal is None else (f"ratio ≥ {goal:g}", ratio >= goal)
    return Row(GROUP, what, f"{found:.0f}/s", f"{bare:.0f}/s", ratio, *aim)


def _contract() -> dict[str, Any]:
    """Operations with nothing to judge but what Envoy judges."""
    paths = {}
    for path, security, extension in CASES.values():
        paths[path.removeprefix("/v1")] = {
            "get": {
                "operationId": path.rpartition("/")[2],
                "security": security,
                "responses": {"200": {"description": "ok"}},
                "x-sidegate": {**extension, "mode": "off", "policy": "none", "reason": "measured without"},
            }
        }
    return {
        "openapi": "3.0.3",
        "info": {"title": "native", "version": "1"},
        "servers": [{"url": "/v1"}],
        "paths": paths,
        "components": {"securitySchemes": SCHEMES},
    }


def _configure(project: Path, consumers: str) -> None:
    settings = yaml.safe_load((project / "sidegate.yaml").read_text())
    settings["security"]["apikey"] = {"keys": {"file": "keys/consumers.yaml"}}
    (project / "sidegate.yaml").write_text(yaml.safe_dump(settings))
    (project / "keys/consumers.yaml").write_text(consumers)


def _speeds(targets: list[Target], connections: int) -> dict[str, float]:
    """Requests a second of each target over so many connections, in turn: medians."""
    samples: dict[str, list[float]] = {target.name: [] for target in targets}
    for _ in range(TIMES):
        for target in targets:
            began = time.perf_counter()
            drive(target, cycle(target.requests), 2 * COUNT, connections)
            samples[target.name].append(2 * COUNT / (time.perf_counter() - began))
    return {name: statistics.median(found) for name, found in samples.items()}
