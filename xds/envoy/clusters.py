"""Gateway, Profile -> Cluster: one a version, and the proxy's own (companion, collector)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any as _Any

from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
    ClusterEdsClusterConfig,
)
from envoy_data_plane.envoy.config.core.v3 import (
    Http1ProtocolOptions,
    Http2ProtocolOptions,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy import names, origin
from xds.envoy.balancing import health, limits, look_up, outliers, policy
from xds.envoy.codec import any_of
from xds.envoy.discovery import by_ads
from xds.envoy.endpoints import assignment, piped
from xds.envoy.filters.cache import caches
from xds.envoy.profile import Profile
from xds.envoy.rate_limit_cluster import rate_limit_clusters
from xds.envoy.typed import seconds
from xds.envoy.upstream_tls import upstream_tls
from xds.model import Gateway, JwtScheme, Upstream, Version
from xds.native.traffic import Circuit, RetryBudget, is_address

PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
RETRIES = 3
FETCHES = 8
"""How many fetches of one issuer's keys may be under way: a worker each may ask when there are none yet."""


def clusters(gateway: Gateway, profile: Profile) -> Iterator[Cluster]:
    """Every cluster that a route or a filter names."""
    yield _companion(profile)
    if profile.otlp:
        yield _own(names.COLLECTOR, profile.otlp.host, profile.otlp.port, profile, tls=profile.otlp.scheme == "https")
    for scheme in gateway.schemes:
        if isinstance(scheme, JwtScheme) and (remote := scheme.remote):
            tls = remote.scheme == "https"
            yield _own(names.issuer(scheme.name), remote.host, remote.port, profile, FETCHES, tls=tls)
        if isinstance(scheme, JwtScheme) and scheme.login:
            token = scheme.login.token
            yield _own(names.login_cluster(scheme.name), token.host, token.port, profile, tls=token.scheme == "https")
    if caches(gateway):
        yield origin.cluster()
    yield from rate_limit_clusters(gateway, profile)
    for service in gateway.services:
        for version in service.versions:
            yield _upstream(version, profile)


def _companion(profile: Profile) -> Cluster:
    if not isinstance(profile.companion, str):
        return _own(names.COMPANION, *profile.companion, profile, profile.limits.companion_requests)
    made = _own(names.COMPANION, "127.0.0.1", 0, profile, profile.limits.companion_requests)
    return replace(made, load_assignment=piped(names.COMPANION, profile.companion))


def _own(name: str, host: str, port: int, profile: Profile, requests: int = 0, *, tls: bool = False) -> Cluster:
    """A cluster of the proxy's own."""
    upstream = Upstream("https" if tls else "http", host, port)
    most = requests or profile.limits.upstream_requests
    return Cluster(
        name=name,
        **_found(name, upstream),
        connect_timeout=seconds(profile.limits.connect_s),
        per_connection_buffer_limit_bytes=profile.limits.buffer,
        circuit_breakers=limits(Circuit(retries=RETRIES), RetryBudget(), most),
        typed_extension_protocol_options={PROTOCOL_OPTIONS: _protocol("http1")},
        transport_socket=upstream_tls(host, profile.authorities) if tls else None,
    )


def _upstream(version: Version, profile: Profile) -> Cluster:
    """The cluster of a version."""
    upstream, name = version.upstream, names.cluster(version)
    traffic = upstream.traffic
    return Cluster(
        name=name,
        **_found(name, upstream),
        **policy(traffic.balance),
        **health(upstream, version.service),
        connect_timeout=seconds(profile.limits.connect_s),
        per_connection_buffer_limit_bytes=profile.limits.buffer,
        circuit_breakers=limits(traffic.circuit, traffic.retry_budget, profile.limits.upstream_requests),
        outlier_detection=outliers(traffic.outliers),
        typed_extension_protocol_options={PROTOCOL_OPTIONS: _protocol(traffic.protocol)},
        transport_socket=upstream_tls(upstream.host, profile.authorities, upstream.tls)
        if upstream.scheme == "https"
        else None,
    )


def _found(name: str, upstream: Upstream) -> Mapping[str, _Any]:
    """How the endpoints are found: they are delivered, looked up by name, or just there."""
    traffic = upstream.traffic
    if traffic.discovered:
        eds = ClusterEdsClusterConfig(eds_config=by_ads(), service_name=name)
        return {"type": ClusterDiscoveryType.EDS, "eds_cluster_config": eds}
    there = {"load_assignment": assignment(name, upstream)}
    if all(is_address(each.host) for each in upstream.endpoints or (upstream,)):
        return {"type": ClusterDiscoveryType.STATIC, "dns_lookup_family": ClusterDnsLookupFamily.AUTO, **there}
    logical = traffic.dns.kind == "logical"
    kind = ClusterDiscoveryType.LOGICAL_DNS if logical else ClusterDiscoveryType.STRICT_DNS
    return {"type": kind, **look_up(traffic.dns), **there}


def _protocol(name: str) -> Any:
    if name == "http2":
        explicit = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    else:
        explicit = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions())
    return any_of(HttpProtocolOptions(explicit_http_config=explicit))
