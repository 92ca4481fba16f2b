"""The filter that keeps the trace id with the request, for Envoy's own answers.

`%TRACE_ID%` is empty in them and in this filter, and an internal header is gone by the time the upstream fails: the context
filter writes the header, this one, behind it, copies it.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import DataSource, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.filters.common.set_filter_state.v3 import FilterStateValue
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state.v3 import Config

from xds import headers

KEY = "sidegate.trace"
SOURCE = f"%REQ({headers.TRACE}?X-REQUEST-ID)%"
FORMAT = f"%FILTER_STATE({KEY}:PLAIN)%"
"""Reads what the filter kept."""


def trace() -> Config:
    """The filter's configuration."""
    value = FilterStateValue(
        object_key=KEY,
        factory_key="envoy.string",
        format_string=SubstitutionFormatString(text_format_source=DataSource(inline_string=SOURCE)),
        skip_if_empty=True,
    )
    return Config(on_request_headers=[value])
