"""Profile -> the OpenTelemetry tracer. Without a collector it still makes the trace ids that logs and documents name."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import HttpService, HttpUri
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManagerTracing
from envoy_data_plane.envoy.type.v3 import Percent

from xds.envoy.codec import any_of
from xds.envoy.names import COLLECTOR
from xds.envoy.profile import Collector, Profile
from xds.envoy.typed import seconds

SERVICE = "sidegate"
EXPORT_TIMEOUT_S = 1
PATH_TAG_LENGTH = 256


def tracing(profile: Profile) -> HttpConnectionManagerTracing:
    """The connection manager's tracer: one server span a request, named by the route."""
    sampled = Percent(value=profile.sampling_percent if profile.otlp else 0)
    config = OpenTelemetryConfig(
        service_name=SERVICE, http_service=_export(profile.otlp) if profile.otlp else None, max_cache_size=4096
    )
    return HttpConnectionManagerTracing(
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=any_of(config)),
        random_sampling=sampled,
        client_sampling=sampled,
        overall_sampling=sampled,
        max_path_tag_length=PATH_TAG_LENGTH,
        spawn_upstream_span=False,
    )


def _export(collector: Collector) -> HttpService:
    uri = f"{collector.scheme}://{collector.host}:{collector.port}{collector.path}"
    return HttpService(http_uri=HttpUri(uri=uri, cluster=COLLECTOR, timeout=seconds(EXPORT_TIMEOUT_S)))
