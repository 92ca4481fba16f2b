"""Gateway -> what its routes name in filters that are delivered apart from them."""

from __future__ import annotations

from xds.envoy.filters.jwt import asked
from xds.envoy.filters.local_limits import quotas
from xds.model import Gateway, Named


def named(gateway: Gateway) -> Named:
    """What filters must know as long as these routes are in force anywhere."""
    return Named(quotas(gateway), asked(gateway))
