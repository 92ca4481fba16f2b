"""Routed -> clusters: that of its version, several by weight, and one that gets copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.config.core.v3 import RuntimeFractionalPercent
from envoy_data_plane.envoy.config.route.v3 import (
    RouteActionRequestMirrorPolicy,
    WeightedCluster,
    WeightedClusterClusterWeight,
)
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType

from xds.envoy import names
from xds.envoy.routed import Routed

_MILLION = 10_000
"""Millionths in a percent."""


def destination(routed: Routed) -> Mapping[str, Any]:
    """The field of a RouteAction that names where requests go."""
    split = routed.operation.native.split
    if not split:
        return {"cluster": routed.cluster}
    service = routed.version.service
    clusters = [
        WeightedClusterClusterWeight(name=names.cluster_of(service, version), weight=weight)
        for version, weight in split
    ]
    return {"weighted_clusters": WeightedCluster(clusters=clusters)}


def clusters_of(routed: Routed) -> set[str]:
    """All clusters that requests of an operation and their copies may go to."""
    split, mirror = routed.operation.native.split, routed.operation.native.mirror
    versions = [version for version, _ in split or ()] + ([mirror.to] if mirror else [])
    named = {names.cluster_of(routed.version.service, version) for version in versions}
    return named if split else named | {routed.cluster}


def mirrors(routed: Routed) -> Mapping[str, Any]:
    """The field `request_mirror_policies`. The copy has the host that was asked for, without Envoy's `-shadow`."""
    mirror = routed.operation.native.mirror
    if mirror is None:
        return {}
    share = FractionalPercent(
        numerator=round(mirror.percent * _MILLION), denominator=FractionalPercentDenominatorType.MILLION
    )
    policy = RouteActionRequestMirrorPolicy(
        cluster=names.cluster_of(routed.version.service, mirror.to),
        runtime_fraction=RuntimeFractionalPercent(default_value=share),
        disable_shadow_host_suffix_append=True,
    )
    return {"request_mirror_policies": [policy]}
