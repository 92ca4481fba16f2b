"""Gateway -> Prometheus' alert rules: what no gateway should show, and the objectives of operations that have them.

Objectives alert on how fast they burn their budget, over a long and a short window each (Google, The Site Reliability
Workbook, chapter 5, "Multiwindow, multi-burn-rate alerts").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xds.dashboards.queries import among, selector, share, slow, used
from xds.model import Gateway, Operation, Version
from xds.native.deprecation import Sunset

BURNS = ((14.4, "1h", "5m", "page"), (6.0, "6h", "30m", "page"), (1.0, "3d", "6h", "ticket"))
"""How many times faster than allowed the budget burns, over which windows, and how loud that is."""

NOTICE_S = 28 * 86_400
"""How long before a sunset its callers are told of."""

FAULTS = (
    (
        "SidegateCannotJudge",
        'code="companion-unavailable"',
        0,
        "requests are refused because the companion does not answer",
    ),
    ("SidegateServiceAway", 'code="upstream-unavailable"', 0.01, "the service cannot be reached"),
    ("SidegateServiceSlow", 'code="upstream-timeout"', 0.01, "the service does not answer in time"),
    ("SidegateGatewayFails", 'code="internal"', 0, "the gateway itself fails"),
)
"""Alert, requests it looks at, the share of all requests that is still in order, and what it means."""


def groups(gateway: Gateway) -> list[dict[str, Any]]:
    """The rule groups of a file for Prometheus."""
    found = [{"name": "sidegate", "rules": [_fault(*row) for row in FAULTS]}]
    for service in gateway.services:
        rules = [r for v in service.versions for o in v.operations for r in _objectives(v, o)]
        rules += [rule for version in service.versions for rule in _sunsets(version)]
        if rules:
            found.append({"name": f"sidegate-{service.name}", "rules": rules})
    return found


def _fault(name: str, bad: str, most: float, meaning: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": f"{share(bad, '', '5m')} > {most:g}",
        "for": "2m",
        "labels": {"severity": "page"},
        "annotations": {"summary": meaning},
    }


def _sunsets(version: Version) -> Iterator[dict[str, Any]]:
    """A rule for each date on which something of a version goes away: who will be refused then, told some weeks before."""
    dates: dict[Sunset, list[Operation]] = {}
    for operation in version.operations:
        if operation.native.sunset and operation.native.deprecated:
            dates.setdefault(operation.native.sunset, []).append(operation)
    for sunset, operations in sorted(dates.items(), key=lambda row: row[0].at):
        yield {
            "alert": "SidegateSunsetInUse",
            "expr": f"({used(among(version, operations), '1d')}) and on() (vector(time()) > {sunset.at - NOTICE_S})",
            "labels": {"severity": "ticket"},
            "annotations": {
                "summary": "{{ $labels.consumer }} still asks for {{ $labels.service }}/{{ $labels.version }}"
                f" {{{{ $labels.operation }}}}, which is refused from {sunset.text} on"
            },
        }


def _objectives(version: Version, operation: Operation) -> Iterator[dict[str, Any]]:
    slo = operation.native.slo
    if slo is None:
        return
    matches = selector(version, operation)
    if slo.availability is not None:
        bad = {window: share('status=~"5.."', matches, window) for _, *windows, _ in BURNS for window in windows}
        yield from _burning(
            version, operation, "availability", f"{slo.availability:g} %", bad, 1 - slo.availability / 100
        )
    for percent, limit in slo.latency:
        bad = {window: slow(limit, matches, window) for _, *windows, _ in BURNS for window in windows}
        words = f"p{percent:g} within {limit:g} ms"
        yield from _burning(version, operation, f"p{percent:g}", words, bad, 1 - percent / 100)


def _burning(
    version: Version, operation: Operation, kind: str, words: str, bad: dict[str, str], budget: float
) -> Iterator[dict[str, Any]]:
    for factor, long, short, severity in BURNS:
        most = f"{factor * budget:.6g}"
        yield {
            "alert": f"SidegateObjective_{kind.replace('.', '_')}",
            "expr": f"({bad[long]}) > {most} and ({bad[short]}) > {most}",
            "labels": {
                "severity": severity,
                "service": version.service,
                "version": version.name,
                "operation": operation.name,
                "window": long,
            },
            "annotations": {
                "summary": f"{version.service}/{version.name} {operation.name}: {words} is missed {factor:g} times faster "
                f"than its budget allows, over {long}"
            },
        }
