"""A running control plane -> can it be reached, do clocks agree, do proxies and companions hold what is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from xds.address import Address
from xds.doctor.finding import Finding, SetUp
from xds.doctor.project import Read
from xds.failure import CannotRun
from xds.http.ask import get, unreachable

SKEW_S = 30


def control_plane(setup: SetUp, project: Read) -> Iterator[Finding]:
    """The shared one by its port, and the management API of the one that was named."""
    for place in setup.xds:
        if isinstance(place, Address) and (why := unreachable(place.host, place.port)):
            fix = "is it running, and does a NetworkPolicy let this machine through?"
            yield Finding("control-plane-unreachable", f"the control plane at {place}: {why}", fix)
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
    for problem in project.answers.get("missing", ()):
        yield Finding("not-ready", str(problem), "look at that part's log")


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
