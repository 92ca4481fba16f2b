"""Profile -> the access log: one JSON line a request, with its trace and why it was refused."""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog
from envoy_data_plane.envoy.config.core.v3 import SubstitutionFormatString
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog

from xds import headers
from xds.envoy.codec import any_of
from xds.envoy.names import METADATA
from xds.envoy.profile import Profile
from xds.envoy.typed import struct

_EXT_AUTHZ = "envoy.filters.http.ext_authz"

LINE = {
    "time": "%START_TIME%",
    "trace_id": "%TRACE_ID%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "method": "%REQ(:METHOD):32%",
    "host": "%REQ(:AUTHORITY):256%",
    "path": "%PATH(NQ):1024%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "code": f"%DYNAMIC_METADATA({_EXT_AUTHZ}:{headers.CODE})%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "service": f"%METADATA(ROUTE:{METADATA}:service)%",
    "version": f"%METADATA(ROUTE:{METADATA}:version)%",
    "operation": f"%METADATA(ROUTE:{METADATA}:operation_id)%",
    "digest": f"%METADATA(ROUTE:{METADATA}:digest)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ms)%",
}
"""The line's members. No query, no header that a client fills freely: nothing secret, and every text has a bound."""


def access_log(profile: Profile) -> list[AccessLog]:
    """The loggers of the connection manager."""
    line = SubstitutionFormatString(json_format=struct(LINE))
    match profile.access_log:
        case False:
            return []
        case True:
            return [AccessLog(name="stdout", typed_config=any_of(StdoutAccessLog(log_format=line)))]
        case path:
            return [AccessLog(name="file", typed_config=any_of(FileAccessLog(path=path, log_format=line)))]
