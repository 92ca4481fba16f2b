"""A running control plane -> can it be reached, do clocks agree, do proxies and companions hold what is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from xds.address import Address
from xds.doctor.finding import Finding, SetUp
from xds.doctor.project import Read
from xds.doctor.shared import taken
from xds.failure import CannotRun
from xds.http.ask import get, unreachable

SKEW_S = 30
_SHOWN = 5
"""Of the errors that a control plane knows, so many are told."""


def control_plane(setup: SetUp, project: Read) -> Iterator[Finding]:
    """The shared one by its port, and the management API of the one that was named."""
    for place in setup.xds:
        if isinstance(place, Address) and (why := unreachable(place.host, place.port)):
            fix = "is it running, and does a NetworkPolicy let this machine through?"
            yield Finding("control-plane-unreachable", f"the control plane at {place}: {why}", fix)
        elif isinstance(place, Address):
            yield from taken(setup, place)
    if setup.management is None:
        return
    if project.answers is None:
        why = get(f"{setup.management.url}/ready").why or "what answers there is no control plane"
        fix = "start it, or name where its management API is: --address"
        yield Finding("management-unreachable", f"no control plane answers at {setup.management}: {why}", fix)
        return
    yield from skew(get(f"{setup.management.url}/ready").date, f"the control plane at {setup.management}")


def running(setup: SetUp, project: Read) -> Iterator[Finding]:
    """What `sidegate status` would show, where it is not well."""
    if setup.management is None or project.answers is None:
        return
    from xds.status import status

    try:
        now = status(setup.management)
    except CannotRun:
        return
    for client in now.clients:
        if client.state == "rejected":
            fix = "; ".join(filter(None, (each.place for each in client.rejected))) or "sidegate status"
            yield Finding("proxy-rejected", f"{client.name}: {client.rejected[0].message}", f"look at {fix}")
        elif client.state == "stale":
            yield Finding("proxy-stale", f"{client.name} does not hold the newest", "is it under load, or cut off?")
    # Of a control plane that many share nobody asks for one proxy that has everything.
    behind = [
        f"companion {each.service} {each.node}: {problem}" for each in now.companions for problem in each.problems
    ]
    for problem in behind if setup.shared else project.answers.get("missing", ()):
        yield Finding("not-ready", str(problem), "look at that part's log")


def proxy(setup: SetUp, _project: Read) -> Iterator[Finding]:
    """The Envoy of this pod."""
    if setup.proxy is None:
        return
    got = get(f"{setup.proxy.url}/ready")
    if got.status == 0:
        yield Finding(
            "proxy-away", f"no Envoy answers at {setup.proxy}: {got.why}", "look at the log of `sidegate envoy`"
        )
    elif got.status != 200:
        what = f"Envoy takes no requests: {got.text.strip()[:80]}"
        yield Finding("proxy-unready", what, "is the control plane there, and is a contract published?")


def refused(setup: SetUp, project: Read) -> Iterator[Finding]:
    """What the control plane refuses, unless it was found in this project, and what serves though it is not well."""
    if setup.management is None or project.answers is None:
        return
    rows = get(f"{setup.management.url}/diagnostics").json
    errors = [row for row in rows if row.get("severity") == "error"] if isinstance(rows, list) else []
    known = any(each.code == "sources-refused" for each in project.findings)
    for row in () if known else errors[:_SHOWN]:
        at = ":".join(str(part) for part in _place(row.get("span")) if part)
        what = f"{at}: {row.get('message')}" if at else str(row.get("message"))
        yield Finding("sources-refused", what, str(row.get("help") or "run `sidegate check` in that service's folder"))
    for problem in project.answers.get("degraded", ()):
        yield Finding("degraded", str(problem), "look at the control plane's log", mild=True)


def _place(span: object) -> tuple[object, ...]:
    return tuple(span.get(key) for key in ("file", "line", "column")) if isinstance(span, dict) else ()


def skew(date: str, whose: str) -> Iterator[Finding]:
    """Whether another machine's clock agrees with this one's: tokens and certificates are judged by it."""
    try:
        there = parsedate_to_datetime(date)
    except ValueError:
        return
    if there.tzinfo is None:
        return
    seconds = abs((datetime.now(UTC) - there).total_seconds())
    if seconds > SKEW_S:
        fix = "have both follow one time server (NTP): tokens and certificates are judged by the clock"
        yield Finding("clock-skew", f"this machine's clock and that of {whose} differ by {seconds:.0f} s", fix)
