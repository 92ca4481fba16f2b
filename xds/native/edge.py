"""Edge: what sidegate.yaml says of native features for the whole gateway."""

from __future__ import annotations

from dataclasses import dataclass

from xds.native.rates import RateLimit, RateLimitService


@dataclass(frozen=True, slots=True)
class Edge:
    """Gateway-wide settings of native features, each with a default that asks for nothing. Hashable: routes depend on it.

    `rate_limits` hold for every operation beside its own; `rate_limit` is the service that counts the shared ones.
    """

    rate_limits: tuple[RateLimit, ...] = ()
    rate_limit: RateLimitService | None = None
