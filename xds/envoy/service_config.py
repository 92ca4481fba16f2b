"""Gateway -> RateLimitConfig: what the rate limit service counts, as it is pushed to it and as its file.

The messages are those of ratelimit.config.ratelimit.v3 (envoyproxy/go-control-plane), which envoy-data-plane does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import betterproto2
from betterproto2 import Message
from envoy_data_plane.message_pool import default_message_pool
from pydantic.dataclasses import dataclass

from xds.envoy import names
from xds.model import Gateway
from xds.native.rates import SHARED, RateLimit, owned

DOMAIN = "sidegate"
_PACKAGE = "ratelimit.config.ratelimit.v3"
_UNITS = {"second": 1, "minute": 2, "hour": 3, "day": 4, "month": 5, "week": 7}


@dataclass(eq=False, repr=False)
class RateLimitPolicy(Message):
    """How many a unit."""

    unit: int = betterproto2.field(1, betterproto2.TYPE_UINT32)  # on the wire an enum is a number
    requests_per_unit: int = betterproto2.field(2, betterproto2.TYPE_UINT32)
    name: str = betterproto2.field(4, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class RateLimitDescriptor(Message):
    """A key, with a value or for each value, and what is counted or told apart below it."""

    key: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    value: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    rate_limit: RateLimitPolicy | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)
    descriptors: list[RateLimitDescriptor] = betterproto2.field(4, betterproto2.TYPE_MESSAGE, repeated=True)
    shadow_mode: bool = betterproto2.field(5, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class RateLimitConfig(Message):
    """Everything of one domain."""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    domain: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    descriptors: list[RateLimitDescriptor] = betterproto2.field(3, betterproto2.TYPE_MESSAGE, repeated=True)


for _message in (RateLimitPolicy, RateLimitDescriptor, RateLimitConfig):
    default_message_pool.register_message(_PACKAGE, _message.__name__, _message)


def shared_limits(gateway: Gateway) -> tuple[RateLimit, ...]:
    """Every limit that the service counts, by bucket."""
    found = {limit.bucket: limit for limit in gateway.edge.rate_limits if limit.store == SHARED}
    found |= {limit.bucket: limit for plan in gateway.edge.plans for limit in plan.limits if limit.store == SHARED}
    for version in (version for service in gateway.services for version in service.versions):
        for operation in version.operations:
            for limit in operation.native.rate_limits:
                if limit.store == SHARED:
                    mine = owned(limit, names.route(version, operation))
                    found[mine.bucket] = mine
    return tuple(found[bucket] for bucket in sorted(found))


def service_configs(gateway: Gateway) -> Iterator[tuple[str, Message]]:
    """The resource for the service, where there is one."""
    if gateway.edge.rate_limit is not None:
        descriptors = [_descriptor(limit) for limit in shared_limits(gateway)]
        yield DOMAIN, RateLimitConfig(name=DOMAIN, domain=DOMAIN, descriptors=descriptors)


def _descriptor(limit: RateLimit) -> RateLimitDescriptor:
    """The limit's bucket, and in it a key a part; what is counted stands on the innermost."""
    policy = RateLimitPolicy(unit=_UNITS[limit.per], requests_per_unit=limit.limit, name=limit.name)
    chain = [("limit", limit.bucket), *((f"key-{index}", "") for index in range(len(limit.by)))]
    inner: list[RateLimitDescriptor] = []
    for depth, (key, value) in enumerate(reversed(chain)):
        last = depth == 0
        own = RateLimitDescriptor(key=key, value=value, descriptors=inner, rate_limit=policy if last else None)
        own.shadow_mode = last and limit.shadow
        inner = [own]
    return inner[0]


def as_file(gateway: Gateway) -> dict[str, Any]:
    """The same as the service reads it from a file (envoyproxy/ratelimit, "Configuration")."""
    return {"domain": DOMAIN, "descriptors": [_entry(limit) for limit in shared_limits(gateway)]}


def _entry(limit: RateLimit) -> dict[str, Any]:
    counted: dict[str, Any] = {
        "rate_limit": {"name": limit.name, "unit": limit.per, "requests_per_unit": limit.limit},
        **({"shadow_mode": True} if limit.shadow else {}),
    }
    for index in reversed(range(len(limit.by))):
        counted = {"descriptors": [{"key": f"key-{index}", **counted}]}
    return {"key": "limit", "value": limit.bucket, **counted}
