"""Profile -> the access log: one JSON line a request, with its trace and why it was refused."""

from __future__ import annotations

from collections.abc import Mapping

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog, AccessLogFilter
from envoy_data_plane.envoy.config.core.v3 import HttpService, HttpUri, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog
from envoy_data_plane.envoy.extensions.access_loggers.open_telemetry.v3 import OpenTelemetryAccessLogConfig
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog
from envoy_data_plane.opentelemetry.proto.common.v1 import AnyValue, KeyValue, KeyValueList

from xds import headers
from xds.envoy.codec import any_of
from xds.envoy.log_filters import all_of, in_order, refused, told
from xds.envoy.names import COLLECTOR
from xds.envoy.profile import Collector, Profile
from xds.envoy.stats import request_stats
from xds.envoy.told_codes import CODE, TOLD
from xds.envoy.tracing import EXPORT_TIMEOUT_S, SERVICE
from xds.envoy.typed import seconds, struct

LINE = {
    "time": "%START_TIME%",
    "trace_id": "%TRACE_ID%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "method": "%REQ(:METHOD):32%",
    "host": "%REQ(:AUTHORITY):256%",
    "path": "%PATH(NQ):1024%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "code": CODE,
    "limit": f"%REQ({headers.LIMIT})%",
    "limits": "%RESP(RATELIMIT):256%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "route": "%ROUTE_NAME%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ms)%",
}
"""The line's members. No query, no header that a client fills freely: nothing secret, and every text has a bound.

Service, version, operation and digest are one member, the route's name (`names.judged`): each out of the route's metadata
would cost as much as four others (7,000 instructions of Envoy 1.40; `code`, where nothing is told, 11,000).
"""


_KINDS = (
    ({member: value for member, value in LINE.items() if member != "code"}, all_of(in_order(), told(False))),
    ({**LINE, "code": TOLD}, all_of(in_order(), told(True))),
    (LINE, refused()),
)
"""The members that a request's line has, and which requests. Where no code is told none is looked for."""


def access_log(profile: Profile) -> list[AccessLog]:
    """The loggers of the connection manager: lines where the profile wants them, records for a collector, metrics always."""
    lines = [_logger(profile, members, which) for members, which in _KINDS]
    return [*(line for line in lines if line is not None), *_exported(profile), *request_stats()]


def _logger(profile: Profile, members: Mapping[str, str], which: AccessLogFilter) -> AccessLog | None:
    line = SubstitutionFormatString(json_format=struct(members))
    match profile.access_log:
        case False:
            return None
        case True:
            return AccessLog(name="stdout", typed_config=any_of(StdoutAccessLog(log_format=line)), filter=which)
        case path:
            return AccessLog(name="file", typed_config=any_of(FileAccessLog(path=path, log_format=line)), filter=which)


def _exported(profile: Profile) -> list[AccessLog]:
    """The same lines as OTLP log records, to the collector that gets the traces; each has its trace and span."""
    if profile.otlp is None:
        return []
    return [AccessLog(name="otlp", typed_config=any_of(_otlp(profile.otlp, m)), filter=which) for m, which in _KINDS]


def _otlp(collector: Collector, members: Mapping[str, str]) -> OpenTelemetryAccessLogConfig:
    scheme, host, port, path = collector
    url = f"{scheme}://{host}:{port}{path.removesuffix('/traces')}/logs"
    attributes = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in members.items()]
    resource = [KeyValue(key="service.name", value=AnyValue(string_value=SERVICE))]
    return OpenTelemetryAccessLogConfig(
        http_service=HttpService(http_uri=HttpUri(uri=url, cluster=COLLECTOR, timeout=seconds(EXPORT_TIMEOUT_S))),
        disable_builtin_labels=True,
        resource_attributes=KeyValueList(values=resource),
        attributes=KeyValueList(values=attributes),
        body=AnyValue(string_value="%REQ(:METHOD):32% %PATH(NQ):1024% %RESPONSE_CODE%"),
    )
