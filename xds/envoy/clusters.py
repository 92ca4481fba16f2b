"""Gateway, Profile -> Cluster: one a version, and the proxy's own (companion, collector)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
    OutlierDetection,
)
from envoy_data_plane.envoy.config.core.v3 import DataSource, Http1ProtocolOptions, TransportSocket
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google.protobuf import Any

from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.profile import Profile
from xds.envoy.typed import address, seconds
from xds.model import Gateway

PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
RETRIES = 3
FETCHES = 8
"""How many fetches of one issuer's keys may be under way: a worker each may ask when there are none yet."""


def clusters(gateway: Gateway, profile: Profile) -> Iterator[Cluster]:
    """Every cluster that a route or a filter names."""
    host, port = profile.companion
    yield _cluster(names.COMPANION, host, port, profile, profile.limits.companion_requests)
    if profile.otlp:
        yield _cluster(
            names.COLLECTOR, profile.otlp.host, profile.otlp.port, profile, tls=profile.otlp.scheme == "https"
        )
    for service in gateway.services:
        for version in service.versions:
            upstream = version.upstream
            name, tls = names.cluster(version), upstream.scheme == "https"
            yield _cluster(name, upstream.host, upstream.port, profile, tls=tls, watched=True)


def _cluster(
    name: str, host: str, port: int, profile: Profile, requests: int = 0, *, tls: bool = False, watched: bool = False
) -> Cluster:
    fixed = _is_address(host)
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC if fixed else ClusterDiscoveryType.STRICT_DNS,
        dns_lookup_family=ClusterDnsLookupFamily.AUTO if fixed else ClusterDnsLookupFamily.V4_PREFERRED,
        connect_timeout=seconds(profile.limits.connect_s),
        per_connection_buffer_limit_bytes=profile.limits.buffer,
        load_assignment=_endpoint(name, host, port),
        circuit_breakers=_limits(requests or profile.limits.upstream_requests),
        outlier_detection=_outliers() if watched else None,
        typed_extension_protocol_options={PROTOCOL_OPTIONS: _http1()},
        transport_socket=_tls(host, profile.authorities) if tls else None,
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _endpoint(name: str, host: str, port: int) -> ClusterLoadAssignment:
    endpoint = LbEndpoint(endpoint=Endpoint(address=address(host, port)))
    return ClusterLoadAssignment(cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])])


def _limits(requests: int) -> CircuitBreakers:
    """HTTP/1.1 has one request a connection, so one number bounds connections, requests and those that wait."""
    threshold = CircuitBreakersThresholds(
        max_connections=requests, max_pending_requests=requests, max_requests=requests, max_retries=RETRIES
    )
    return CircuitBreakers(thresholds=[threshold])


def _outliers() -> OutlierDetection:
    """Eject an endpoint that cannot be talked to, never one that answers 500: that is the service's own answer."""
    return OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=5,
        enforcing_consecutive_5xx=0,
        enforcing_consecutive_gateway_failure=0,
        enforcing_success_rate=0,
        enforcing_local_origin_success_rate=0,
        interval=seconds(5),
        base_ejection_time=seconds(5),
        max_ejection_time=seconds(60),
        max_ejection_percent=50,
    )


def _http1() -> Any:
    explicit = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions())
    return any_of(HttpProtocolOptions(explicit_http_config=explicit))


def _tls(host: str, authorities: str) -> TransportSocket:
    """TLS that checks chain and name.

    Envoy 1.40 takes no check of names with `system_root_certs`, so the system's authorities come from their file.
    """
    fixed = _is_address(host)
    kind = SubjectAltNameMatcherSanType.IP_ADDRESS if fixed else SubjectAltNameMatcherSanType.DNS
    checked = CertificateValidationContext(
        trusted_ca=DataSource(filename=authorities),
        match_typed_subject_alt_names=[SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=host))],
    )
    context = UpstreamTlsContext(
        sni="" if fixed else host, common_tls_context=CommonTlsContext(validation_context=checked)
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=any_of(context))
