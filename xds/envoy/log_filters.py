"""Which requests an access logger looks at. Working out an error's code takes CEL, which those in order need not pay for."""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    MetadataFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import RuntimeUInt32
from envoy_data_plane.envoy.type.matcher.v3 import (
    MetadataMatcher,
    MetadataMatcherPathSegment,
    ValueMatcher,
    ValueMatcherNullMatch,
)

from xds import headers

EXT_AUTHZ = "envoy.filters.http.ext_authz"
"""The namespace of what the companion's answer says of a request."""


def in_order() -> AccessLogFilter:
    """Requests whose status is below 400; 0, where nobody waited for an answer, is one of them."""
    return _status(ComparisonFilterOp.LE, 399)


def refused() -> AccessLogFilter:
    """All others."""
    return _status(ComparisonFilterOp.GE, 400)


def told(is_: bool) -> AccessLogFilter:
    """Requests that the companion gave a code, or those that it did not."""
    value = (
        ValueMatcher(present_match=True) if is_ else ValueMatcher(null_match=ValueMatcherNullMatch())
    )  # never a text
    matcher = MetadataMatcher(filter=EXT_AUTHZ, path=[MetadataMatcherPathSegment(key=headers.CODE)], value=value)
    return AccessLogFilter(metadata_filter=MetadataFilter(matcher=matcher, match_if_key_not_found=not is_))


def noted(namespace: str, key: str) -> AccessLogFilter:
    """Requests of which a filter noted something in dynamic metadata."""
    there = MetadataMatcher(
        filter=namespace, path=[MetadataMatcherPathSegment(key=key)], value=ValueMatcher(present_match=True)
    )
    return AccessLogFilter(metadata_filter=MetadataFilter(matcher=there, match_if_key_not_found=False))


def all_of(*filters: AccessLogFilter) -> AccessLogFilter:
    """What all of them look at."""
    return AccessLogFilter(and_filter=AndFilter(filters=list(filters)))


def _status(op: ComparisonFilterOp, bound: int) -> AccessLogFilter:
    value = RuntimeUInt32(default_value=bound, runtime_key=f"sidegate.log.status.{bound}")
    return AccessLogFilter(status_code_filter=StatusCodeFilter(comparison=ComparisonFilter(op=op, value=value)))
