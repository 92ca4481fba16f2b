"""The access logger that counts requests by operation, status and code; see `xds.metrics`."""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog, AccessLogFilter, ExtensionFilter
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel.v3 import ExpressionFilter
from envoy_data_plane.envoy.extensions.access_loggers.stats.v3 import (
    Config,
    ConfigCounter,
    ConfigHistogram,
    ConfigHistogramUnit,
    ConfigStat,
    ConfigTag,
)

from xds.envoy.codec import any_of
from xds.envoy.names import METADATA
from xds.envoy.replies import CODE
from xds.metrics import DURATION, REQUESTS, Metric

_SOURCES = {
    "service": f"%METADATA(ROUTE:{METADATA}:service)%",
    "version": f"%METADATA(ROUTE:{METADATA}:version)%",
    "operation": f"%METADATA(ROUTE:{METADATA}:operation_id)%",
    "status": "%RESPONSE_CODE%",
    "code": CODE,
}
"""Label -> where its value comes from. What no route matched has an empty operation."""

ANSWERED = "response.code_details == 'via_upstream'"


def request_stats() -> list[AccessLog]:
    """The loggers: a counter of all requests, and a histogram of those that the service answered."""
    counted = Config(stat_prefix="sidegate", counters=[ConfigCounter(stat=_stat(REQUESTS), value_fixed=1)])
    timed = Config(
        stat_prefix="sidegate",
        histograms=[
            ConfigHistogram(stat=_stat(DURATION), value_format="%DURATION%", unit=ConfigHistogramUnit.Milliseconds)
        ],
    )
    return [
        AccessLog(name="requests", typed_config=any_of(counted)),
        AccessLog(name="durations", typed_config=any_of(timed), filter=_only(ANSWERED)),
    ]


def _stat(metric: Metric) -> ConfigStat:
    return ConfigStat(
        name=metric.name, tags=[ConfigTag(name=label, value_format=_SOURCES[label]) for label in metric.labels]
    )


def _only(expression: str) -> AccessLogFilter:
    config = any_of(ExpressionFilter(expression=expression))
    return AccessLogFilter(
        extension_filter=ExtensionFilter(name="envoy.access_loggers.extension_filters.cel", typed_config=config)
    )
