"""`rateLimit`, `rateLimits` -> the service that counts shared limits, and the limits that hold for everything."""

from __future__ import annotations

from typing import Any

from xds.address import Address
from xds.native.faults import faults
from xds.native.quantities import DURATION, seconds
from xds.native.rates import (
    LOCAL,
    PER_GATEWAY,
    PER_OPERATION,
    SCHEMA,
    SHARED,
    RateLimit,
    RateLimitService,
    limit_problems,
    read_limits,
)
from xds.settings.reader import Reader

_SERVICE = {
    "type": "object",
    "description": 'rateLimit: {service: "127.0.0.1:8082", onFailure: open, timeout: 5ms}',
    "required": ["service"],
    "additionalProperties": False,
    "properties": {
        "service": {"type": "string", "description": "host:port of an envoyproxy/ratelimit service (gRPC)"},
        "onFailure": {"enum": ["open", "closed"], "description": "what becomes of requests while it is away"},
        "timeout": {**DURATION, "description": "how long a request waits for it: 5ms"},
    },
}
_EVERYWHERE = ("client", "address", "header")


def rate_limit_service(reader: Reader, value: Any) -> RateLimitService | None:
    """Where shared limits are counted, or None."""
    if value is None or not _sound(reader, value, _SERVICE, "/rateLimit"):
        return None
    try:
        address = Address.parse(value["service"])
    except ValueError as error:
        reader.say("settings-invalid", f"`service`: {error}", "/rateLimit/service", 'as "127.0.0.1:8082"')
        return None
    timeout = seconds(value.get("timeout", "5ms"))
    if not timeout:
        reader.say("settings-invalid", "a timeout of zero would be none at all", "/rateLimit/timeout")
        return None
    return RateLimitService(address.host, address.port, value.get("onFailure") == "closed", timeout)


def rate_limits(reader: Reader, value: Any, service: RateLimitService | None) -> tuple[RateLimit, ...]:
    """The limits that hold for every operation, each with one bucket for all of them."""
    if value is None or not _sound(reader, value, SCHEMA, "/rateLimits"):
        return ()
    limits = read_limits(value, "gateway")
    has = frozenset(("rateLimit",)) if service else frozenset[str]()
    for index, (limit, item) in enumerate(zip(limits, value, strict=True)):
        at = f"/rateLimits/{index}"
        for problem in limit_problems(limit, item, limits[:index], has):
            code = problem.code if problem.code == "rate-limit-service" else "settings-invalid"
            reader.say(code, problem.message, at + problem.pointer, problem.help)
        if "scope" in item or limit.cost.parameters or any(by.partition(":")[0] not in _EVERYWHERE for by in limit.by):
            message = "what holds for everything counts by `client`, `address` or `header:NAME`, in one bucket for all"
            reader.say("settings-invalid", message, at, "write it on a document: x-sidegate: {rateLimits: [...]}")
    for store, most in ((LOCAL, PER_GATEWAY), (SHARED, PER_OPERATION)):
        if (count := sum(limit.store == store for limit in limits)) > most:
            reader.say("settings-invalid", f"there are at most {most} {store} limits, these are {count}", "/rateLimits")
    return limits


def _sound(reader: Reader, value: Any, schema: Any, at: str) -> bool:
    found = list(faults(value, schema))
    for problem in found:
        code = "settings-unknown-key" if problem.code == "extension-unknown" else "settings-invalid"
        reader.say(code, problem.message, at + problem.pointer, problem.help)
    return not found
