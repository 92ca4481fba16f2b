"""Metric -> PromQL. Every expression of dashboards and alerts is made here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xds.metrics import CACHED, DEPRECATED, DURATION, OPERATION, REQUESTS
from xds.model import Operation, Version

BY_OPERATION = ", ".join(OPERATION)
BY_CONSUMER = ", ".join((*OPERATION, "consumer"))


def selector(version: Version, operation: Operation) -> str:
    """The labels of one operation."""
    return f'service="{version.service}",version="{version.name}",operation="{operation.name}"'


def among(version: Version, operations: Sequence[Operation]) -> str:
    """The labels of some operations of a version, or of all."""
    whole = f'service="{version.service}",version="{version.name}"'
    names = sorted({operation.name for operation in operations})
    if len(operations) == len(version.operations):
        return whole
    return f'{whole},operation=~"{"|".join(re.escape(name) for name in names)}"'.replace("\\", "\\\\")


def rate(matches: str = "", window: str = "$__rate_interval", by: str = BY_OPERATION) -> str:
    """Requests a second."""
    return f"sum by ({by}) (rate({REQUESTS.exported}{{{matches}}}[{window}]))"


def used(matches: str = "", window: str = "$__rate_interval", by: str = BY_CONSUMER) -> str:
    """Requests of deprecated operations within a time, by who asked: nothing at all once nobody does."""
    return f"sum by ({by}) (increase({DEPRECATED.exported}{{{matches}}}[{window}])) > 0"


def hits(matches: str = "", window: str = "$__rate_interval", by: str = BY_OPERATION) -> str:
    """The share of requests that the cache answered, of those that came as far as there, 0 to 1."""
    hit = f'{matches},cache="hit"' if matches else 'cache="hit"'
    return (
        f"sum by ({by}) (rate({CACHED.exported}{{{hit}}}[{window}])) / "
        f"sum by ({by}) (rate({CACHED.exported}{{{matches}}}[{window}]))"
    )


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
