"""SetUp -> Findings: the checks, in the order in which trouble builds on trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xds.doctor.certificates import certificates
from xds.doctor.finding import Finding, SetUp
from xds.doctor.machine import binary, companion, ports
from xds.doctor.others import issuers, opa, rate_limit, upstreams
from xds.doctor.project import Read, read
from xds.doctor.running import control_plane, proxy, refused, running

Check = Callable[[SetUp, Read], Iterator[Finding]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("Envoy", binary),
    ("the companion", companion),
    ("addresses", ports),
    ("sources", lambda _setup, project: iter(project.findings)),
    ("certificates", certificates),
    ("the control plane", control_plane),
    ("this pod's proxy", proxy),
    ("what the control plane compiles", refused),
    ("proxies and companions", running),
    ("OPA", opa),
    ("the rate limit service", rate_limit),
    ("keys of issuers", issuers),
    ("upstreams", upstreams),
)


def diagnose(setup: SetUp, say: Callable[[str, bool], None] = lambda _what, _well: None) -> list[Finding]:
    """Every finding, in order. `say` is told of each check when it is over, and whether all was well. Nothing is changed."""
    project, found = read(setup), []
    for name, check in CHECKS:
        findings = list(check(setup, project))
        say(name, not findings)
        found += findings
    return found
