"""Gateway -> a Grafana dashboard (schema version 39): traffic, refusals, times and objectives, by operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xds.dashboards.queries import hits, quantile, rate, selector, share, slow, used
from xds.model import Gateway
from xds.native.caching import cache_of

WIDTH, HEIGHT = 12, 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PICKED = 'service=~"$service",operation=~"$operation"'
LEGEND = "{{service}} {{version}} {{operation}}"


def dashboard(gateway: Gateway) -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    panels = [*_traffic(), *_kept(gateway), *_deprecated(gateway), *_objectives(gateway)]
    return {
        "uid": "sidegate",
        "title": "Sidegate",
        "tags": ["sidegate"],
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [_datasource(), _variable("service"), _variable("operation")]},
        "panels": [{**panel, "id": number + 1, "gridPos": _place(number)} for number, panel in enumerate(panels)],
    }


def _traffic() -> Iterator[dict[str, Any]]:
    refused = f'{PICKED},code!=""'
    yield _graph("Requests", "reqps", (rate(PICKED), LEGEND))
    yield _graph("Refusals by code", "reqps", (rate(refused, by="code"), "{{code}}"))
    yield _graph("Share of 5xx", "percentunit", (share('status=~"5.."', PICKED, "$__rate_interval"), "5xx"))
    yield _graph(
        "Time of answers below 400, p50 and p99",
        "ms",
        (quantile(50, PICKED), f"p50 {LEGEND}"),
        (quantile(99, PICKED), f"p99 {LEGEND}"),
    )
    yield _graph("Rate limits", "reqps", (rate(f'{PICKED},code="rate-limited"'), LEGEND))
    yield _graph(
        "Contract and policy",
        "reqps",
        (rate(f'{PICKED},status=~"400|403|413|415|422",code!=""', by="operation, code"), "{{operation}} {{code}}"),
    )


def _kept(gateway: Gateway) -> Iterator[dict[str, Any]]:
    if any(cache_of(operation) for s in gateway.services for v in s.versions for operation in v.operations):
        yield _graph("Answered by the cache, share of those with one", "percentunit", (hits(PICKED), LEGEND))


def _deprecated(gateway: Gateway) -> Iterator[dict[str, Any]]:
    """Who still asks for what is deprecated: empty over 30 days before it is taken away."""
    if any(operation.native.deprecated for s in gateway.services for v in s.versions for operation in v.operations):
        legend = f"{{{{consumer}}}}: {LEGEND}"
        yield _graph("Deprecated operations, a day, by consumer", "short", (used(PICKED, "1d"), legend))
        yield _graph("Deprecated operations, 30 days, by consumer", "short", (used(PICKED, "30d"), legend))


def _objectives(gateway: Gateway) -> Iterator[dict[str, Any]]:
    for service in gateway.services:
        for version in service.versions:
            for operation in version.operations:
                slo, matches = operation.native.slo, selector(version, operation)
                name = f"{version.service}/{version.name} {operation.name}"
                if slo and slo.availability is not None:
                    words = f"{name}: 5xx over 28 d, of {100 - slo.availability:.6g} % allowed"
                    yield _graph(words, "percentunit", (share('status=~"5.."', matches, "28d"), "5xx"))
                for percent, limit in slo.latency if slo else ():
                    words = f"{name}: slower than {limit:g} ms over 28 d, of {100 - percent:.6g} % allowed"
                    yield _graph(words, "percentunit", (slow(limit, matches, "28d"), "slow"))


def _graph(title: str, unit: str, *queries: tuple[str, str]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
        for n, (expression, legend) in enumerate(queries)
    ]
    return {
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def _place(number: int) -> dict[str, int]:
    return {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT}


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _variable(label: str) -> dict[str, Any]:
    from xds.metrics import REQUESTS

    return {
        "name": label,
        "type": "query",
        "datasource": SOURCE,
        "query": f"label_values({REQUESTS.exported}, {label})",
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "current": {"text": "All", "value": "$__all"},
    }
