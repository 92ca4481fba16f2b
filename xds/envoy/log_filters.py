"""Which requests an access logger looks at. Working out an error's code takes CEL, which those in order need not pay for."""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import RuntimeUInt32


def in_order() -> AccessLogFilter:
    """Requests whose status is below 400; 0, where nobody waited for an answer, is one of them."""
    return _status(ComparisonFilterOp.LE, 399)


def refused() -> AccessLogFilter:
    """All others."""
    return _status(ComparisonFilterOp.GE, 400)


def _status(op: ComparisonFilterOp, bound: int) -> AccessLogFilter:
    value = RuntimeUInt32(default_value=bound, runtime_key=f"sidegate.log.status.{bound}")
    return AccessLogFilter(status_code_filter=StatusCodeFilter(comparison=ComparisonFilter(op=op, value=value)))
