"""Traffic -> fields of a Cluster: how its endpoints are chosen, watched and spared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    CircuitBreakersThresholdsRetryBudget,
    ClusterCommonLbConfig,
    ClusterDnsLookupFamily,
    ClusterLbPolicy,
    ClusterMaglevLbConfig,
    ClusterRingHashLbConfig,
    OutlierDetection,
)
from envoy_data_plane.envoy.config.core.v3 import HealthCheck, HealthCheckHttpHealthCheck
from envoy_data_plane.envoy.type.v3 import CodecClientType, Percent

from xds.envoy.typed import seconds
from xds.model import Upstream
from xds.native.traffic import Balance, Circuit, Dns, Health, Outliers, RetryBudget

_POLICIES = {
    "round-robin": ClusterLbPolicy.ROUND_ROBIN,
    "least-request": ClusterLbPolicy.LEAST_REQUEST,
    "ring-hash": ClusterLbPolicy.RING_HASH,
    "maglev": ClusterLbPolicy.MAGLEV,
}

_FAMILIES = {
    "auto": ClusterDnsLookupFamily.AUTO,
    "v4": ClusterDnsLookupFamily.V4_ONLY,
    "v6": ClusterDnsLookupFamily.V6_ONLY,
    "v4-preferred": ClusterDnsLookupFamily.V4_PREFERRED,
    "all": ClusterDnsLookupFamily.ALL,
}


def policy(balance: Balance) -> Mapping[str, Any]:
    """How an endpoint is chosen; a hash's input is each route's own (`xds.envoy.hashing`)."""
    fields: dict[str, Any] = {"lb_policy": _POLICIES[balance.kind]}
    if balance.kind == "ring-hash":
        fields["ring_hash_lb_config"] = ClusterRingHashLbConfig()
    if balance.kind == "maglev":
        fields["maglev_lb_config"] = ClusterMaglevLbConfig()
    return fields


def limits(circuit: Circuit, budget: RetryBudget, requests: int) -> CircuitBreakers:
    """HTTP/1.1 has one request a connection, so one number bounds all that is not said otherwise."""
    threshold = CircuitBreakersThresholds(
        max_connections=requests if circuit.connections is None else circuit.connections,
        max_pending_requests=requests if circuit.pending is None else circuit.pending,
        max_requests=requests if circuit.requests is None else circuit.requests,
        max_retries=circuit.retries,
        retry_budget=_budget(budget) if circuit.retries is None else None,
    )
    return CircuitBreakers(thresholds=[threshold])


def _budget(budget: RetryBudget) -> CircuitBreakersThresholdsRetryBudget:
    return CircuitBreakersThresholdsRetryBudget(
        budget_percent=Percent(value=budget.percent), min_retry_concurrency=budget.minimum
    )


def outliers(rule: Outliers) -> OutlierDetection:
    """Eject an endpoint that cannot be talked to; one that answers 5xx only where that is asked for: it is its own answer."""
    return OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=rule.failures or None,
        enforcing_consecutive_local_origin_failure=None if rule.failures else 0,
        consecutive_5xx=rule.server_errors or None,
        enforcing_consecutive_5xx=100 if rule.server_errors else 0,
        consecutive_gateway_failure=rule.gateway_errors or None,
        enforcing_consecutive_gateway_failure=100 if rule.gateway_errors else 0,
        enforcing_success_rate=0,
        enforcing_local_origin_success_rate=0,
        interval=seconds(rule.interval),
        base_ejection_time=seconds(rule.ejection),
        max_ejection_time=seconds(max(60.0, rule.ejection)),
        max_ejection_percent=rule.share,
    )


def health(upstream: Upstream, service: str) -> Mapping[str, Any]:
    """Active checks. Without them, Envoy sends to all endpoints once half are out (panic); with them, only to healthy ones."""
    rule = upstream.traffic.health
    if rule is None:
        return {}
    never = ClusterCommonLbConfig(healthy_panic_threshold=Percent(value=0))
    return {"health_checks": [_check(rule, upstream, service)], "common_lb_config": never}


def _check(rule: Health, upstream: Upstream, service: str) -> HealthCheck:
    http2 = upstream.traffic.protocol == "http2"
    return HealthCheck(
        timeout=seconds(rule.timeout),
        interval=seconds(rule.interval),
        no_traffic_interval=seconds(rule.interval),
        healthy_threshold=rule.healthy,
        unhealthy_threshold=rule.unhealthy,
        http_health_check=HealthCheckHttpHealthCheck(
            # Else it is the cluster's name, which has a slash; discovered endpoints must not change their cluster.
            host=service if upstream.traffic.discovered else upstream.host,
            path=rule.path,
            codec_client_type=CodecClientType.HTTP2 if http2 else CodecClientType.HTTP1,
        ),
    )


def look_up(dns: Dns) -> Mapping[str, Any]:
    """How names are looked up."""
    fields: dict[str, Any] = {"dns_lookup_family": _FAMILIES[dns.family]}
    if dns.refresh:
        fields["dns_refresh_rate"] = seconds(dns.refresh)
    if dns.ttl:
        fields["respect_dns_ttl"] = True
    return fields
