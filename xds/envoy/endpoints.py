"""Upstream -> ClusterLoadAssignment: in its cluster, or a resource of its own, so that it changes without the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from envoy_data_plane.envoy.config.core.v3 import Address, Locality, Pipe
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)

from xds.envoy import names
from xds.envoy.typed import address
from xds.model import Endpoint as Where
from xds.model import Gateway, Upstream


def assignments(gateway: Gateway) -> Iterator[ClusterLoadAssignment]:
    """Those of the upstreams whose endpoints are discovered."""
    for version in (version for service in gateway.services for version in service.versions):
        if version.upstream.traffic.discovered:
            yield assignment(names.cluster(version), version.upstream)


def assignment(name: str, upstream: Upstream) -> ClusterLoadAssignment:
    """All endpoints of an upstream, by zone."""
    zones: dict[str, list[Where]] = {}
    for each in upstream.endpoints or (Where(upstream.host, upstream.port),):
        zones.setdefault(each.zone, []).append(each)
    localities = [_locality(zone, inside) for zone, inside in sorted(zones.items())]
    return ClusterLoadAssignment(cluster_name=name, endpoints=localities)


def piped(name: str, path: str) -> ClusterLoadAssignment:
    """One endpoint, at a unix socket."""
    there = LbEndpoint(endpoint=Endpoint(address=Address(pipe=Pipe(path=path))))
    return ClusterLoadAssignment(cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=[there])])


def _locality(zone: str, inside: list[Where]) -> LocalityLbEndpoints:
    return LocalityLbEndpoints(
        locality=Locality(zone=zone) if zone else None, lb_endpoints=[_endpoint(each) for each in inside]
    )


def _endpoint(each: Where) -> LbEndpoint:
    weight = each.weight if each.weight != 1 else None
    return LbEndpoint(endpoint=Endpoint(address=address(each.host, each.port)), load_balancing_weight=weight)
