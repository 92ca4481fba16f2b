"""The filter that keeps a verified claim for the choice of an endpoint, where no client can write it.

A hash policy reads no metadata, and headers of our own are off the request when the endpoint is chosen: filter state is left.
"""

from __future__ import annotations

from functools import cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import DataSource, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.filters.common.set_filter_state.v3 import FilterStateValue
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state.v3 import Config

from xds.envoy.codec import any_of, shared
from xds.envoy.filters.jwt import METADATA, payload_key
from xds.envoy.hashing import STATE
from xds.envoy.routed import Routed
from xds.headers import PREFIX

HASH = f"{PREFIX}held-hash"
"""Carries it from a cache to the origin listener."""


def hashed() -> Config:
    """The filter's configuration: it does nothing by itself."""
    return Config()


def carried() -> Config:
    """The same filter behind a cache: what comes in a header is kept as it would have been."""
    return Config(on_request_headers=[_kept(f"%REQ({HASH})%")])


def per_route(routed: Routed) -> Message | None:
    """The claim that the upstream's balance asks for, for an operation that takes tokens."""
    balance = routed.version.upstream.traffic.balance
    if balance.source != "claim":
        return None
    schemes = {c.scheme for alternative in routed.operation.security for c in alternative.credentials}
    return _claim(tuple(sorted(schemes)), balance.name) if schemes else None


@cache
def _claim(schemes: tuple[str, ...], name: str) -> Message:
    return shared(any_of(Config(on_request_headers=[_value(scheme, name) for scheme in schemes])))


def _value(scheme: str, name: str) -> FilterStateValue:
    return _kept(f"%DYNAMIC_METADATA({METADATA}:{payload_key(scheme)}:{name})%")


def _kept(text: str) -> FilterStateValue:
    return FilterStateValue(
        object_key=STATE,
        factory_key="envoy.hashable_string",
        format_string=SubstitutionFormatString(
            text_format_source=DataSource(inline_string=text), omit_empty_values=True
        ),
        skip_if_empty=True,
    )
