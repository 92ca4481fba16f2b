"""Number of operations -> CPU of a request: the routes alone, with nothing for the companion to do."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench import projects
from tests.bench.hop import Hop
from tests.bench.load import Target, noise, request, rounds
from tests.bench.row import Row, ratio_row
from tests.e2e.gateway import Gateway

GROUP = "CPU a request by number of operations (Envoy; routes, hardening, access log)"
REPOS = "/repos/{owner}/{repo}"
COUNT, TIMES = 3000, 7
CONTRACTS = {
    "10 operations": lambda: projects.generated(10, native=True),
    "1,000 operations": lambda: projects.generated(1000, native=True),
    "10,000 operations": lambda: projects.generated(10_000, native=True),
    "600 operations under one /repos/{owner}/{repo}/": lambda: projects.generated(600, base=REPOS, native=True),
}
GOALS = {"10,000 operations": 1.15, "600 operations under one /repos/{owner}/{repo}/": 1.5}


def measure(folder: Path) -> list[Row]:
    """All the gateways run at once and are asked in turn, so that whatever else the machine does falls on each."""
    contracts = {name: make() for name, make in CONTRACTS.items()}
    with ExitStack() as stack:
        hop = stack.enter_context(Hop(folder))
        asked = _requests(contracts["10 operations"])
        targets = [Target("bare", hop.port, asked, {"envoy": lambda: [hop.pid]})]
        for number, (name, contract) in enumerate(contracts.items()):
            project = projects.write(folder / f"routes{number}", contract, upstream=hop.upstream)
            gateway = stack.enter_context(Gateway(project, patience=120))
            pid = gateway.roles()["envoy"].pid
            targets.append(Target(name, gateway.port, _requests(contract), {"envoy": lambda pid=pid: [pid]}))  # type: ignore[misc]
        found = rounds(targets, COUNT, TIMES)
    cost = {name: statistics.median(roles["envoy"]) for name, roles in found.items()}
    rows = [ratio_row(GROUP, f"{name}, over a bare hop", "µs", (cost["bare"], cost[name])) for name in contracts]
    ten = cost["10 operations"]
    rows += [
        ratio_row(GROUP, f"{name}, over 10 operations", "µs", (ten, cost[name]), GOALS.get(name))
        for name in list(contracts)[1:]
    ]
    spread = max(noise(roles["envoy"]) for roles in found.values())
    longest = [(name, *reach(contract)) for name, contract in contracts.items()]
    rows += [
        Row(
            GROUP, f"{name}: longest list of routes that a request can meet", f"{routes} routes, {steps} regexes before"
        )
        for name, routes, steps in longest
    ]
    return [*rows, Row(GROUP, "spread of the rounds (middle half, the widest)", f"{spread:.0%}")]


def _requests(contract: dict[str, Any]) -> list[bytes]:
    return [request(path, method=method) for method, path in projects.sampled(contract, 400)]


def reach(contract: dict[str, Any]) -> tuple[int, int]:
    """The longest list of routes in a contract's virtual host, and the most matchers that are tried before a list."""
    from xds.compile import Compiler
    from xds.envoy.profile import Profile
    from xds.envoy.routes import routes
    from xds.source import Tree

    files = {
        "contracts/svc/v1.yaml": projects.text_of(contract).encode(),
        "sidegate.yaml": b"services: {svc: {upstream: 'http://127.0.0.1:1'}}",
    }
    gateway = Compiler().compile(Tree(files, ())).gateway
    made = routes(gateway, Profile(("127.0.0.1", 1), ("127.0.0.1", 2)))
    found = [_depth(host.matcher) for host in made.virtual_hosts]
    return max(routes for routes, _ in found), max(steps for _, steps in found)


def _depth(matcher: Any) -> tuple[int, int]:
    """The longest list below a matcher and the most predicates on the way to one. A map of prefixes counts for none."""
    below: list[tuple[int, int]] = []
    tried = 0
    if matcher.matcher_list:
        for tried, row in enumerate(matcher.matcher_list.matchers, 1):
            length, steps = _action(row.on_match)
            below.append((length, tried + steps))
    if matcher.matcher_tree:
        below += [_action(found) for found in matcher.matcher_tree.prefix_match_map.map.values()]
    if matcher.on_no_match:
        length, steps = _action(matcher.on_no_match)
        below.append((length, tried + steps))
    return max(length for length, _ in below), max(steps for _, steps in below)


def _action(found: Any) -> tuple[int, int]:
    from xds.envoy.codec import unpack

    if found.matcher:
        return _depth(found.matcher)
    return len(unpack(found.action.typed_config).routes), 0
