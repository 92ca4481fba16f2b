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
from xds.envoy.typed import seconds
from xds.native import Native

Part = Callable[[Routed], Mapping[str, Any]]
"""Some fields of the RouteAction; none of them another part's."""


def _timeout(routed: Routed) -> Mapping[str, Any]:
    own = routed.operation.native.timeout
    return {"timeout": seconds(routed.profile.limits.upstream_s if own is None else own)}


PARTS: tuple[Part, ...] = (destination, mirrors, _timeout, retries, hashing)


_PLAIN = Native()
_plain: dict[tuple[str, Profile], RouteAction] = {}


def action(routed: Routed) -> RouteAction:
    """The action of an operation's route. Operations that ask for nothing of their own share one."""
    if routed.operation.native == _PLAIN and not routed.version.upstream.traffic.balance.source:
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
