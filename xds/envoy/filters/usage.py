"""The filter that notes whom the use of a deprecated operation is counted by, in metadata, which lasts as long as the request.

The note is also what tells the logger that counts which requests are its own. The filter is off for all other operations.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLogFilter
from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata.v3 import (
    Config,
    ConfigKeyValuePair,
    ConfigRule,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy.filters.http_filter import switched_on
from xds.envoy.log_filters import noted
from xds.envoy.routed import Routed
from xds.headers import CALLER

METADATA = "sidegate.usage"
_KEY = "consumer"

CONSUMER = f"%DYNAMIC_METADATA({METADATA}:{_KEY})%"
"""Who is counted, as a format."""


def usage() -> Config:
    """The filter's configuration: the header that the identity filter wrote becomes metadata."""
    known = ConfigKeyValuePair(metadata_namespace=METADATA, key=_KEY)
    unknown = ConfigKeyValuePair(metadata_namespace=METADATA, key=_KEY, value="anonymous")
    rule = ConfigRule(header=CALLER, on_header_present=known, on_header_missing=unknown, remove=True)
    return Config(request_rules=[rule])


def per_route(routed: Routed) -> Any | None:
    """The filter runs for deprecated operations."""
    return switched_on() if routed.operation.native.deprecated else None


def counted() -> AccessLogFilter:
    """Requests of deprecated operations that came as far as the filter."""
    return noted(METADATA, _KEY)
