"""Routed -> RouteAction: where an operation's requests go, and for how long. One row a feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envoy_data_plane.envoy.config.route.v3 import RouteAction

from xds.envoy.codec import shared
from xds.envoy.hashing import hashing
from xds.envoy.profile import Profile
from xds.envoy.retries import retries
from xds.envoy.routed import Routed
from xds.envoy.splits import destination, mirrors
from xds.envoy.streams import timeouts, upgrades
from xds.envoy.targets import rewrites
from xds.native import Native
from xds.native.streams import lasts

Part = Callable[[Routed], Mapping[str, Any]]
"""Some fields of the RouteAction; none of them another part's."""


PARTS: tuple[Part, ...] = (destination, mirrors, rewrites, timeouts, upgrades, retries, hashing)


_PLAIN = Native()
_plain: dict[tuple[str, Profile], RouteAction] = {}


def action(routed: Routed) -> RouteAction:
    """The action of an operation's route. Operations that ask for nothing of their own share one."""
    operation = routed.operation
    if operation.native == _PLAIN and not lasts(operation) and not routed.version.upstream.traffic.balance.source:
        key = routed.cluster, routed.profile
        known = _plain.get(key)
        if known is None:
            known = _plain[key] = shared(_action(routed))
        return known
    return _action(routed)


def _action(routed: Routed) -> RouteAction:
    fields: dict[str, Any] = {}
    for part in PARTS:
        fields |= part(routed)
    return RouteAction(**fields)
