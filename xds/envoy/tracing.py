"""Profile -> the OpenTelemetry tracer. Without a collector it still makes the trace ids that logs and documents name."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import HttpService, HttpUri
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManagerTracing
from envoy_data_plane.envoy.extensions.tracers.opentelemetry.samplers.v3 import TraceIdRatioBasedSamplerConfig
from envoy_data_plane.envoy.type.tracing.v3 import CustomTag
from envoy_data_plane.envoy.type.v3 import FractionalPercent, Percent

from xds.envoy.codec import any_of
from xds.envoy.names import COLLECTOR, COMPANION
from xds.envoy.profile import Profile
from xds.envoy.typed import seconds, typed

SERVICE = "sidegate"
URL = "%REQ(X-FORWARDED-PROTO)%://%REQ(:AUTHORITY):256%%PATH(NQ):256%"
"""Takes the place of Envoy's own `http.url`, which holds the query: values of a request are in no span."""
AGENT = "%CEL(request.useragent.size() < 257 && request.useragent.matches('^[ -~]*$') ? request.useragent : 'not printable')%"
"""Envoy's own `user_agent` takes bytes as they come, and a collector refuses a whole batch for one text that is not UTF-8."""
EXPORT_TIMEOUT_S = 1
PATH_TAG_LENGTH = 256
RATIO = "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based"


def tracing(profile: Profile) -> HttpConnectionManagerTracing:
    """The connection manager's tracer: one server span a request, named by the route.

    Without a collector the client's trace context is passed on as it came.
    """
    share = Percent(value=profile.sampling_percent if profile.otlp else 0)
    config = _exporting(profile) if profile.otlp else _silent(profile)
    return HttpConnectionManagerTracing(
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=any_of(config)),
        random_sampling=share,
        client_sampling=share,
        overall_sampling=share,
        max_path_tag_length=PATH_TAG_LENGTH,
        custom_tags=_tags() if profile.otlp else [],
        spawn_upstream_span=False,
        no_context_propagation=profile.otlp is None,
    )


def _tags() -> list[CustomTag]:
    return [CustomTag(tag="http.url", value=URL), CustomTag(tag="user_agent", value=AGENT)]


def _exporting(profile: Profile) -> OpenTelemetryConfig:
    assert profile.otlp is not None
    scheme, host, port, path = profile.otlp
    uri = HttpUri(uri=f"{scheme}://{host}:{port}{path}", cluster=COLLECTOR, timeout=seconds(EXPORT_TIMEOUT_S))
    return OpenTelemetryConfig(service_name=SERVICE, http_service=HttpService(http_uri=uri), max_cache_size=4096)


def _silent(profile: Profile) -> OpenTelemetryConfig:
    """Envoy insists on an exporter, and a client's sampled flag would make it export: this sampler heeds no parent."""
    uri = HttpUri(uri=f"{profile.companion_url}/", cluster=COMPANION, timeout=seconds(EXPORT_TIMEOUT_S))
    never = TraceIdRatioBasedSamplerConfig(sampling_percentage=FractionalPercent(numerator=0))
    return OpenTelemetryConfig(
        service_name=SERVICE, http_service=HttpService(http_uri=uri), sampler=typed(RATIO, never)
    )
