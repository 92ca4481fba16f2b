"""`retries: {attempts: 2, on: [...]}`, `idempotent: true` -> what is tried again, never more than the method allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import DURATION, seconds

if TYPE_CHECKING:
    from xds.model import Operation

IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"))
"""Methods that may be sent twice (RFC 9110, section 9.2.2; QUERY is safe by its draft)."""

SAFE = ("connect-failure", "refused-stream", "reset-before-request")
"""Conditions under which the service cannot have seen anything of the request (Envoy, `x-envoy-retry-on`)."""

OTHERS = ("reset", "gateway-error", "5xx")

MOST = 5


@dataclass(frozen=True, slots=True)
class Retries:
    """`attempts` are those after the first. `on` holds Envoy's conditions, and `statuses` the answers tried again.

    Times in seconds; None leaves the gateway's.
    """

    attempts: int
    on: tuple[str, ...]
    statuses: tuple[int, ...] = ()
    per_try: float | None = None
    base: float | None = None
    longest: float | None = None

    def of(self, operation: Operation) -> Retries | None:
        """What of it an operation may have: for a method that is not idempotent only what cannot have reached the service."""
        if operation.method in IDEMPOTENT or operation.native.idempotent:
            return self
        on = tuple(each for each in self.on if each in SAFE)
        return Retries(self.attempts, on, (), self.per_try, self.base, self.longest) if on else None


def _read(value: Mapping[str, Any]) -> Retries:
    on = value["on"]
    backoff = value.get("backoff", {})
    return Retries(
        attempts=value["attempts"],
        on=tuple(each for each in (*SAFE, *OTHERS) if each in on),
        statuses=tuple(sorted({int(each) for each in on if each.isdigit()})),
        per_try=_optional(value.get("perTryTimeout")),
        base=_optional(backoff.get("base")),
        longest=_optional(backoff.get("max")),
    )


def _optional(text: str | None) -> float | None:
    return None if text is None else seconds(text)


def _check(value: Retries, operation: Operation, site: Site) -> Iterator[Problem]:
    if value.per_try == 0:
        yield Problem("an attempt without time cannot succeed", "/perTryTimeout", "leave it out, or give it time")
    timeout = operation.native.timeout
    if value.per_try and timeout and value.per_try >= timeout:
        message = f"an attempt may take {value.per_try:g} s, but all of them together have {timeout:g} s (`timeout`)"
        yield Problem(message, "/perTryTimeout", "make it shorter than `timeout`")
    if value.base == 0:
        yield Problem("retries without a pause pile up on a service in trouble", "/backoff/base", "25ms is usual")
    if value.base and value.longest is not None and value.longest < value.base:
        yield Problem("the longest pause is shorter than the first", "/backoff/max", "make `max` at least `base`")
    allowed = value.of(operation)
    own = operation.settings["retries"].place.pointer.startswith(operation.place.pointer + "/")
    if own and allowed != value:
        dropped = [*(set(value.on) - set(allowed.on if allowed else ())), *map(str, value.statuses)]
        message = (
            f"{operation.method} is not tried again on {', '.join(sorted(dropped))}: the service may have acted on it"
        )
        help_ = "if doing it twice is the same as doing it once, say so: `idempotent: true`"
        yield Problem(message, "/on", help_, "retries-unsafe")


def _said(value: Retries) -> str:
    on = ", ".join((*value.on, *map(str, value.statuses)))
    return f"up to {value.attempts} more attempts on {on} (Envoy's retry policy; of methods that are not idempotent" + (
        " only where nothing reached the service)"
    )


RETRIES = Feature(
    key="retries",
    field="retries",
    schema={
        "type": "object",
        "description": "when Envoy asks the service again: {attempts: 2, on: [connect-failure, '503']}",
        "additionalProperties": False,
        "required": ["attempts", "on"],
        "properties": {
            "attempts": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST,
                "description": f"how often again at most, 1 to {MOST}",
            },
            "on": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "description": f"conditions: {', '.join((*SAFE, *OTHERS))}, or a status from 500 to 599 as a text",
                "items": {
                    "type": "string",
                    "pattern": f"^({'|'.join((*SAFE, *OTHERS))}|5[0-9][0-9]|4(08|09|23|25|29))$",
                    "description": f"a condition ({', '.join((*SAFE, *OTHERS))}), a status of the service's own trouble "
                    "(5xx), or 408, 409, 423, 425, 429",
                },
            },
            "perTryTimeout": {**DURATION, "description": "how long one attempt may take: 500ms"},
            "backoff": {
                "type": "object",
                "description": "the pause before an attempt, doubled each time up to `max`, with jitter",
                "additionalProperties": False,
                "required": ["base"],
                "properties": {
                    "base": {**DURATION, "description": "the first pause: 25ms"},
                    "max": {**DURATION, "description": "the longest pause: 250ms"},
                },
            },
        },
    },
    read=_read,
    check=_check,
    said=_said,
)

DECLARED_IDEMPOTENT = Feature(
    key="idempotent",
    field="idempotent",
    schema={
        "type": "boolean",
        "description": "true: sending the request twice does no more than sending it once, whatever its method",
    },
    read=bool,
    said=lambda value: "declared idempotent: retried as a PUT would be" if value else "",
)
