"""`slo: {availability: 99.9, latency: {p99: 300ms}}` -> the objectives of an operation, for alerts and dashboards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.metrics import BUCKETS
from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import DURATION, seconds

if TYPE_CHECKING:
    from xds.model import Operation


@dataclass(frozen=True, slots=True)
class Objectives:
    """What an operation promises. `availability` is the percentage of requests that get no 5xx; `latency` pairs a percentile
    (99 for `p99`) with the milliseconds within which so many percent of the answers come."""

    availability: float | None = None
    latency: tuple[tuple[float, float], ...] = ()


def _read(value: Any) -> Objectives:
    latency = ((float(name[1:]), seconds(text) * 1000) for name, text in value.get("latency", {}).items())
    return Objectives(value.get("availability"), tuple(sorted(latency)))


def _check(value: Objectives, operation: Operation, site: Site) -> Iterator[Problem]:
    for percentile, limit in value.latency:
        if limit not in BUCKETS:
            near = min(BUCKETS, key=lambda bucket: abs(bucket - limit))
            words = f"{limit:g} ms is no bound of the histogram, so nobody could see whether it is met"
            help_ = f"the nearest bound is {near}ms; the bounds are " + ", ".join(f"{bucket}ms" for bucket in BUCKETS)
            yield Problem(words, f"/latency/p{percentile:g}", help_)


SLO = Feature(
    key="slo",
    field="slo",
    schema={
        "type": "object",
        "description": "objectives that alerts and dashboards are made of: {availability: 99.9, latency: {p99: 300ms}}",
        "properties": {
            "availability": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 100,
                "description": "the percentage of requests that get no 5xx",
            },
            "latency": {
                "type": "object",
                "description": "percentile (p50, p90, p99, p99.9) to the time within which so many answers come",
                "patternProperties": {"^p([1-9][0-9]?)([.][0-9]+)?$": DURATION},
                "additionalProperties": False,
                "minProperties": 1,
            },
        },
        "additionalProperties": False,
        "minProperties": 1,
    },
    read=_read,
    check=_check,
    said=lambda value: "objectives for alerts and dashboards; they refuse nothing",
)
