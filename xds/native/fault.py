"""`fault: {delay: 200ms, percent: 10, abort: {status: 503}}` -> what goes wrong on purpose, where that is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import DURATION, seconds

if TYPE_CHECKING:
    from xds.model import Operation

LONGEST_S = 60.0
"""No delay is longer: every request that waits holds memory."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Seconds of delay and the status of an abort, None for none, each with the percentage of requests it meets."""

    delay: float | None = None
    delay_percent: float = 100
    abort: int | None = None
    abort_percent: float = 100


def _read(value: Mapping[str, Any]) -> Fault:
    abort = value.get("abort", {})
    delay = value.get("delay")
    return Fault(
        None if delay is None else seconds(delay),
        value.get("percent", 100),
        abort.get("status"),
        abort.get("percent", 100),
    )


def _check(value: Fault, operation: Operation, site: Site) -> Iterator[Problem]:
    if "faults" not in site.has:
        help_ = "where it is meant, a test or staging layer of sidegate.yaml says `faults: allowed`"
        yield Problem("faults are not allowed here", help=help_, code="fault-forbidden")
    if value.delay is None and "percent" in operation.settings["fault"].value:
        yield Problem("`percent` is the share of requests that are delayed, and there is no `delay`", "/percent")
    if value.delay is not None and not 0 < value.delay <= LONGEST_S:
        yield Problem(f"a delay is longer than nothing and at most {LONGEST_S:g} s", "/delay")


def _said(value: Fault) -> str:
    parts = []
    if value.delay is not None:
        parts.append(f"{value.delay_percent:g}% of requests wait {value.delay:g} s")
    if value.abort is not None:
        parts.append(f"{value.abort_percent:g}% are refused with {value.abort}")
    return " and ".join(parts) + ", on purpose"


_PERCENT = {"type": "number", "exclusiveMinimum": 0, "maximum": 100, "multipleOf": 0.01}

FAULT = Feature(
    key="fault",
    field="fault",
    schema={
        "type": "object",
        "description": "what goes wrong on purpose, in tests: {delay: 200ms, percent: 10, abort: {status: 503, percent: 5}}",
        "additionalProperties": False,
        "anyOf": [{"required": ["delay"]}, {"required": ["abort"]}],
        "properties": {
            "delay": {**DURATION, "description": "how long requests wait before anything is looked at: 200ms"},
            "percent": {**_PERCENT, "description": "the percentage of requests that wait; all if it is left out"},
            "abort": {
                "type": "object",
                "description": "requests that are refused: {status: 503, percent: 5}",
                "additionalProperties": False,
                "required": ["status"],
                "properties": {
                    "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "400 to 599"},
                    "percent": {**_PERCENT, "description": "the percentage of requests; all if it is left out"},
                },
            },
        },
    },
    read=_read,
    check=_check,
    said=_said,
)
