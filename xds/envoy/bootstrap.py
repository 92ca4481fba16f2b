"""Node, control plane's address -> the bootstrap that Envoy starts with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xds.envoy import names
from xds.metrics import BUCKETS, DURATION

Json = dict[str, Any]

UNLIMITED = 4294967295
ANY = "@type"
_TYPE = "type.googleapis.com/"
_BACK_OFF = {"retry_back_off": {"base_interval": "0.25s", "max_interval": "3s"}}
"""Until a control plane that was away is asked again: Envoy's own 30 s would be a long time to serve what is old."""
PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def bootstrap(
    node: str,
    ads: tuple[str, int] | str,
    admin: tuple[str, int] | str,
    *,
    cluster: str = "sidegate",
    metadata: Mapping[str, Any] | None = None,
    max_heap: int = 1 << 30,
    max_connections: int = 10_000,
) -> Json:
    """The bootstrap as JSON: one static cluster, for ADS, and limits for the whole process.

    `ads` and `admin` are host and port, or the path of a unix socket; admin must be a socket or on loopback, since it can
    stop the process (ValueError otherwise). `max_heap` is in bytes.
    """
    if not isinstance(admin, str) and admin[0] not in ("127.0.0.1", "::1"):
        raise ValueError(f"the admin interface listens on loopback or on a unix socket, not on {admin[0]}")
    return {
        "node": {"id": node, "cluster": cluster, "metadata": dict(metadata or {})},
        "admin": {"address": _address(admin)},
        "dynamic_resources": _dynamic(),
        "static_resources": {"clusters": [_ads(ads)]},
        "bootstrap_extensions": [internal_listeners()],
        "stats_config": _stats(),
        "layered_runtime": layered_runtime(),
        "overload_manager": _overload(max_heap, max_connections),
    }


def internal_listeners() -> Json:
    """Listeners without an address, for what the cache has not got."""
    kind = f"{_TYPE}envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
    return {"name": "envoy.bootstrap.internal_listener", "typed_config": {ANY: kind}}


def layered_runtime() -> Json:
    """What Envoy has as runtime keys.

    Matchers hold one regex for up to a thousand templates: Envoy's own limits on a program's size do not fit. Spans leave
    within a second rather than five, and in larger batches than of five, each of which is a request of its own.
    """
    limits = {"re2": {"max_program_size": {"error_level": UNLIMITED, "warn_level": UNLIMITED}}}
    spans = {"tracing": {"opentelemetry": {"flush_interval_ms": 1000, "min_flush_spans": 256}}}
    return {"layers": [{"name": "static", "static_layer": {**limits, **spans}}]}


def _stats() -> Json:
    """The buckets of the histogram of requests; all others keep Envoy's."""
    buckets = {"match": {"prefix": f"sidegate.{DURATION.name}"}, "buckets": list(BUCKETS)}
    return {"histogram_bucket_settings": [buckets]}


def _dynamic() -> Json:
    source = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    stream = {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": names.ADS, "retry_policy": _BACK_OFF}}],
    }
    return {"ads_config": stream, "cds_config": source, "lds_config": source}


def _ads(ads: tuple[str, int] | str) -> Json:
    """HTTP/2 with keep-alive, so that a control plane that hangs is noticed."""
    http2 = {"connection_keepalive": {"interval": "10s", "timeout": "5s"}}
    options = {ANY: f"{_TYPE}{PROTOCOL_OPTIONS}", "explicit_http_config": {"http2_protocol_options": http2}}
    endpoint = {"endpoint": {"address": _address(ads)}}
    # A name may have addresses of both families where replicas listen on one: each is tried.
    named = {"type": "STRICT_DNS", "dns_lookup_family": "ALL"}
    return {
        "name": names.ADS,
        **({"type": "STATIC"} if isinstance(ads, str) or numeric(ads[0]) else named),
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {PROTOCOL_OPTIONS: options},
        "load_assignment": {"cluster_name": names.ADS, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(place: tuple[str, int] | str) -> Json:
    if isinstance(place, str):
        return {"pipe": {"path": place, "mode": 0o600}}
    return {"socket_address": {"address": place[0], "port_value": place[1]}}


def numeric(host: str) -> bool:
    """Whether a host is an address, which nobody has to look up."""
    return host.replace(".", "").isdigit() or ":" in host


def _overload(max_heap: int, max_connections: int) -> Json:
    """Under pressure: no more keep-alive, then heavy streams reset, then no requests, rather than be killed."""
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            _monitor("fixed_heap", "fixed_heap.v3.FixedHeapConfig", {"max_heap_size_bytes": max_heap}),
            _monitor(
                "global_downstream_max_connections",
                "downstream_connections.v3.DownstreamConnectionsConfig",
                {"max_active_downstream_connections": max_connections},
            ),
        ],
        "actions": [
            _action("shrink_heap", 0.90),
            _action("disable_http_keepalive", 0.92),
            _action("stop_accepting_requests", 0.95),
            _action("stop_accepting_connections", 0.98),
        ],
    }


def _monitor(name: str, kind: str, config: Json) -> Json:
    typed = {ANY: f"{_TYPE}envoy.extensions.resource_monitors.{kind}", **config}
    return {"name": f"envoy.resource_monitors.{name}", "typed_config": typed}


def _action(name: str, threshold: float) -> Json:
    trigger = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": threshold}}
    return {"name": f"envoy.overload_actions.{name}", "triggers": [trigger]}
