"""`shed: {successRate: 95, window: 30s}` -> requests that are refused early while their service is in trouble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import DURATION, seconds

if TYPE_CHECKING:
    from xds.model import Operation


@dataclass(frozen=True, slots=True)
class Shed:
    """Below `success` percent of answers without 5xx in `window` seconds, requests are refused, `most` percent at most.

    Nothing is refused while fewer than `least` requests a second come.
    """

    success: float = 95.0
    window: float = 30.0
    least: int = 5
    most: float = 80.0


def _read(value: Mapping[str, Any]) -> Shed:
    return Shed(
        float(value.get("successRate", 95)),
        seconds(value.get("window", "30s")),
        value.get("minimumRps", 5),
        float(value.get("maximum", 80)),
    )


def _check(value: Shed, operation: Operation, site: Site) -> Iterator[Problem]:
    if not 1 <= value.window <= 3600 or value.window % 1:
        yield Problem("a window is whole seconds, from 1s to 1h", "/window", "30s is usual")


SHED = Feature(
    key="shed",
    field="shed",
    schema={
        "type": "object",
        "description": "requests are refused while too many fail: {successRate: 95, window: 30s}",
        "additionalProperties": False,
        "properties": {
            "successRate": {
                "type": "number",
                "minimum": 1,
                "maximum": 100,
                "description": "percent of answers without 5xx below which requests are refused, 1 to 100 (95)",
            },
            "window": {**DURATION, "description": "how far back answers are counted, 1s to 1h: 30s"},
            "minimumRps": {
                "type": "integer",
                "minimum": 0,
                "maximum": 1_000_000,
                "description": "requests a second below which nothing is refused (5)",
            },
            "maximum": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 100,
                "description": "percent of requests that are refused at most (80)",
            },
        },
    },
    read=_read,
    check=_check,
    said=lambda value: f"requests are refused while fewer than {value.success:g} % succeed (Envoy's admission control)",
)
