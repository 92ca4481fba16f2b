"""Routed -> timeouts of a RouteAction, and whether it may change protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.config.route.v3 import RouteActionUpgradeConfig

from xds.envoy.routed import Routed
from xds.envoy.typed import seconds
from xds.native.streams import lasts


def timeouts(routed: Routed) -> Mapping[str, Any]:
    """The whole answer has so long; of an operation that lasts, each pause."""
    own, limits = routed.operation.native.timeout, routed.profile.limits
    if lasts(routed.operation):
        return {"timeout": seconds(0), "idle_timeout": seconds(limits.idle_s if own is None else own)}
    return {"timeout": seconds(limits.upstream_s if own is None else own)}


def upgrades(routed: Routed) -> Mapping[str, Any]:
    """The field `upgrade_configs`. The connection manager has none, so whatever is not declared is refused."""
    kind = routed.operation.native.upgrade
    return {"upgrade_configs": [RouteActionUpgradeConfig(upgrade_type=kind, enabled=True)]} if kind else {}
