"""Edge: what sidegate.yaml says of native features for the whole gateway."""

from __future__ import annotations

from dataclasses import dataclass

from xds.native.addresses import Addresses
from xds.native.caching import Store
from xds.native.patches import Patch
from xds.native.plans import Plan
from xds.native.rates import RateLimit, RateLimitService


@dataclass(frozen=True, slots=True)
class Edge:
    """Gateway-wide settings of native features, each with a default that asks for nothing. Hashable: routes depend on it.

    `rate_limits` hold for every operation beside its own; `rate_limit` is the service that counts the shared ones.
    `faults` says that operations may ask for faults; `patches` change what was made, at the very end.
    `trusted_hops` is how many proxies before this one are believed what they say of the client's address.
    `plans` are limits by what a consumer's key says.
    """

    rate_limits: tuple[RateLimit, ...] = ()
    rate_limit: RateLimitService | None = None
    faults: bool = False
    patches: tuple[Patch, ...] = ()
    addresses: Addresses | None = None
    cache: Store = Store()
    trusted_hops: int = 0
    plans: tuple[Plan, ...] = ()

    @property
    def has(self) -> frozenset[str]:
        """Words for what operations may refer to, as `Site.has` holds them."""
        there = (("faults", self.faults), ("rateLimit", self.rate_limit))
        return frozenset(word for word, present in there if present)
