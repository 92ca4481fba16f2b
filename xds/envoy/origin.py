"""What Envoy's cache filter asks instead of the service: a listener of the proxy's own, and the cluster that leads to it.

The filter asks upstream by itself and goes around the route: its timeout, retries, splits and removed headers would not hold
for what is not in the cache (Envoy 1.40: seen). So it is led to an internal listener, which no address reaches, where the
operation has a second route that says all that (`xds.envoy.misses`).
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
)
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    DataSource,
    EnvoyInternalAddress,
    Http1ProtocolOptions,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener, ListenerInternalListenerConfig
from envoy_data_plane.envoy.config.route.v3 import RouteAction
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation, Mutations
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.http.upstream_codec.v3 import UpstreamCodec
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerServerHeaderTransformation,
    HttpFilter,
    Rds,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)

from xds import headers
from xds.envoy import names
from xds.envoy.codec import any_of, shared
from xds.envoy.discovery import by_ads
from xds.envoy.filters import cache, hashed, rewritten, service_errors, trace, transcoder
from xds.envoy.local_replies import local_replies
from xds.envoy.profile import Profile
from xds.envoy.told_codes import CODE
from xds.envoy.typed import seconds, set_header
from xds.envoy.wordings import mappers
from xds.model import Gateway

_PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_MANY = 1 << 20

ACTION = shared(RouteAction(cluster=names.ORIGIN, timeout=seconds(0)))
"""Of a cached operation's route. Its time is bounded by the second route's."""


def cluster() -> Cluster:
    """The way to the listener. What it admits at once is bounded where it leads to."""
    inside = Address(envoy_internal_address=EnvoyInternalAddress(server_listener_name=names.ORIGIN))
    there = LocalityLbEndpoints(lb_endpoints=[LbEndpoint(endpoint=Endpoint(address=inside))])
    codec = HttpFilter(name="codec", typed_config=any_of(UpstreamCodec()))
    restored = HeaderMutation(mutations=Mutations(request_mutations=cache.restored()))
    protocol = HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions()),
        http_filters=[HttpFilter(name="restore", typed_config=any_of(restored)), codec],
    )
    threshold = CircuitBreakersThresholds(
        max_connections=_MANY, max_pending_requests=_MANY, max_requests=_MANY, max_retries=0
    )
    return Cluster(
        name=names.ORIGIN,
        type=ClusterDiscoveryType.STATIC,
        load_assignment=ClusterLoadAssignment(cluster_name=names.ORIGIN, endpoints=[there]),
        circuit_breakers=CircuitBreakers(thresholds=[threshold]),
        typed_extension_protocol_options={_PROTOCOL: any_of(protocol)},
    )


def listener(gateway: Gateway, profile: Profile) -> Listener:
    """The listener: routes of its own, and no filter that judges, since all of that was done.

    Its buffers hold one answer of those that may be kept.
    """
    http = HttpConnectionManager(
        stat_prefix=names.ORIGIN,
        rds=Rds(route_config_name=names.MISSES, config_source=by_ads()),
        http_filters=[
            HttpFilter(name="code", typed_config=any_of(_code())),
            HttpFilter(name=names.TRACE_FILTER, typed_config=any_of(trace.trace())),
            HttpFilter(name=names.HASHED_FILTER, typed_config=any_of(hashed.carried())),
            HttpFilter(
                name=names.SERVICE_ERRORS_FILTER, typed_config=any_of(service_errors.service_errors()), disabled=True
            ),
            HttpFilter(name="path", typed_config=any_of(_path())),
            HttpFilter(name=names.CACHE_RULE_FILTER, typed_config=any_of(HeaderMutation()), disabled=True),
            HttpFilter(name=names.REWRITTEN_FILTER, typed_config=any_of(rewritten.rewritten()), disabled=True),
            HttpFilter(name=names.TRANSCODER_FILTER, typed_config=any_of(transcoder.transcoder()), disabled=True),
            HttpFilter(name=names.ROUTER_FILTER, typed_config=any_of(Router(suppress_envoy_headers=True))),
        ],
        max_request_headers_kb=96,
        stream_idle_timeout=seconds(profile.limits.idle_s),
        server_header_transformation=HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
        skip_xff_append=True,
        local_reply_config=local_replies(mappers()),
    )
    return Listener(
        name=names.ORIGIN,
        internal_listener=ListenerInternalListenerConfig(),
        filter_chains=[FilterChain(filters=[Filter(name="http", typed_config=any_of(http))])],
        per_connection_buffer_limit_bytes=max(profile.limits.buffer, 2 * gateway.edge.cache.entry),
    )


def _code() -> HeaderMutation:
    """Why a request was not answered by the service, for the log of the edge, which sees an answer of some upstream. What the
    service itself says there is taken off."""
    return HeaderMutation(
        mutations=Mutations(response_mutations=[Mutation(remove=headers.CODE), set_header(headers.CODE, CODE)])
    )


def _path() -> Lua:
    """Nothing but a program may write the path before the router."""
    return Lua(default_source_code=DataSource(inline_string=cache.RESTORE), clear_route_cache=False, stat_prefix="path")
