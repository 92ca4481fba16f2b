"""Metric -> PromQL. Every expression of dashboards and alerts is made here."""

from __future__ import annotations

from xds.metrics import DURATION, OPERATION, REQUESTS
from xds.model import Operation, Version

BY_OPERATION = ", ".join(OPERATION)


def selector(version: Version, operation: Operation) -> str:
    """The labels of one operation."""
    return f'service="{version.service}",version="{version.name}",operation="{operation.name}"'


def rate(matches: str = "", window: str = "$__rate_interval", by: str = BY_OPERATION) -> str:
    """Requests a second."""
    return f"sum by ({by}) (rate({REQUESTS.exported}{{{matches}}}[{window}]))"


def share(bad: str, matches: str, window: str) -> str:
    """The share of requests that `bad` picks out of those that `matches` does, 0 to 1."""
    both = f"{matches},{bad}" if matches else bad
    return (
        f"(sum(rate({REQUESTS.exported}{{{both}}}[{window}])) or vector(0)) / "
        f"sum(rate({REQUESTS.exported}{{{matches}}}[{window}]))"
    )


def slow(limit_ms: float, matches: str, window: str) -> str:
    """The share of answers below 400 that took longer than a bound of the histogram, 0 to 1."""
    within = f'{matches},le="{limit_ms:g}"'
    return (
        f"1 - sum(rate({DURATION.exported}_bucket{{{within}}}[{window}])) / "
        f"sum(rate({DURATION.exported}_count{{{matches}}}[{window}]))"
    )


def quantile(percent: float, matches: str = "", window: str = "$__rate_interval") -> str:
    """Milliseconds within which so many percent of the answers below 400 came."""
    buckets = f"sum by (le, {BY_OPERATION}) (rate({DURATION.exported}_bucket{{{matches}}}[{window}]))"
    return f"histogram_quantile({percent / 100:g}, {buckets})"
