"""Edge -> Cluster: the rate limit service, over HTTP/2 in cleartext."""

from __future__ import annotations

from collections.abc import Iterator

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import Http2ProtocolOptions
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)

from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.profile import Profile
from xds.envoy.typed import address, seconds
from xds.model import Gateway

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def rate_limit_clusters(gateway: Gateway, profile: Profile) -> Iterator[Cluster]:
    """The cluster of the service, where there is one."""
    service = gateway.edge.rate_limit
    if service is None:
        return
    endpoint = LbEndpoint(endpoint=Endpoint(address=address(service.host, service.port)))
    explicit = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    fixed = service.host.replace(".", "").isdigit() or ":" in service.host
    yield Cluster(
        name=names.RATE_LIMIT,
        type=ClusterDiscoveryType.STATIC if fixed else ClusterDiscoveryType.STRICT_DNS,
        connect_timeout=seconds(profile.limits.connect_s),
        load_assignment=ClusterLoadAssignment(
            cluster_name=names.RATE_LIMIT, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]
        ),
        typed_extension_protocol_options={OPTIONS: any_of(HttpProtocolOptions(explicit_http_config=explicit))},
    )
