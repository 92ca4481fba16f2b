"""Gateway -> what its routes name in filters that are delivered apart from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xds.envoy import names
from xds.envoy.featured import featured_of
from xds.envoy.filters.jwt import asked
from xds.envoy.filters.local_limits import quotas
from xds.model import Cached, Gateway, Named
from xds.native.caching import cache_of


def named(gateway: Gateway) -> Named:
    """What filters must know as long as these routes are in force anywhere."""
    return Named(quotas(gateway), asked(gateway), _cached(gateway))


def _cached(gateway: Gateway) -> Mapping[str, Cached]:
    found = {}
    for service in gateway.services:
        alone = replace(gateway, services=(service,), listeners=(), secrets=(), former=Named())
        for version in service.versions:
            for operation in featured_of(version):
                if cache_of(operation):
                    found[names.route(version, operation)] = Cached(version, operation, alone)
    return found
