"""The access loggers that count requests by operation, status and code, those of deprecated operations by who asks, and those
that came as far as a cache; see `xds.metrics`."""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog
from envoy_data_plane.envoy.extensions.access_loggers.stats.v3 import (
    Config,
    ConfigCounter,
    ConfigHistogram,
    ConfigHistogramUnit,
    ConfigStat,
    ConfigTag,
)
from envoy_data_plane.envoy.type.v3 import Scope

from xds.envoy.codec import any_of
from xds.envoy.filters import cache, usage
from xds.envoy.log_filters import in_order, refused
from xds.envoy.names import METADATA
from xds.envoy.told_codes import CODE, TOLD
from xds.metrics import CACHED, CONSUMERS, DEPRECATED, DURATION, REQUESTS, Metric

_SOURCES = {
    "service": f"%METADATA(ROUTE:{METADATA}:service)%",
    "version": f"%METADATA(ROUTE:{METADATA}:version)%",
    "operation": f"%METADATA(ROUTE:{METADATA}:operation_id)%",
    "status": "%RESPONSE_CODE%",
    "consumer": usage.CONSUMER,
    "cache": cache.OUTCOME,
}
"""Label -> where its value comes from. What no route matched has an empty operation."""


def request_stats() -> list[AccessLog]:
    """The loggers: counters of requests, those with an error apart, and a histogram of answers in order."""
    timed = ConfigHistogram(stat=_stat(DURATION), value_format="%DURATION%", unit=ConfigHistogramUnit.Milliseconds)
    fine = Config(stat_prefix="sidegate", counters=[_counter(TOLD)], histograms=[timed])
    failed = Config(stat_prefix="sidegate", counters=[_counter(CODE)])
    by_consumer = ConfigCounter(stat=_stat(DEPRECATED), value_fixed=1)
    kept = Config(stat_prefix="sidegate", counters=[ConfigCounter(stat=_stat(CACHED), value_fixed=1)])
    bounded = Scope(prefix="sidegate", max_counters=CONSUMERS)
    return [
        AccessLog(name="requests", typed_config=any_of(fine), filter=in_order()),
        AccessLog(name="errors", typed_config=any_of(failed), filter=refused()),
        AccessLog(
            name="deprecated",
            typed_config=any_of(Config(stats_scope=bounded, counters=[by_consumer])),
            filter=usage.counted(),
        ),
        AccessLog(name="cached", typed_config=any_of(kept), filter=cache.counted()),
    ]


def _counter(code: str) -> ConfigCounter:
    return ConfigCounter(stat=_stat(REQUESTS, code), value_fixed=1)


def _stat(metric: Metric, code: str = "") -> ConfigStat:
    sources = {**_SOURCES, "code": code}
    return ConfigStat(
        name=metric.name, tags=[ConfigTag(name=label, value_format=sources[label]) for label in metric.labels]
    )
