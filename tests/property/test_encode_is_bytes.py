"""The fast encoder writes the bytes of betterproto2's own, for whatever the messages hold."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import HeaderValue, Metadata
from envoy_data_plane.envoy.config.endpoint.v3 import LocalityLbEndpoints
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteActionClusterNotFoundResponseCode,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.type.v3 import DoubleRange, FractionalPercent, Int64Range
from envoy_data_plane.google.protobuf import Any, Struct, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from xds.envoy.codec import any_of, encode, unpack
from xds.envoy.render import plain
from xds.envoy.typed import struct

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
UINT32 = st.integers(0, (1 << 32) - 1)
JSON = st.recursive(
    TEXT | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
STRUCTS = st.builds(struct, st.dictionaries(TEXT, JSON, max_size=4))
ACTIONS = st.builds(
    RouteAction,
    cluster=TEXT,
    timeout=st.none() | st.timedeltas(timedelta(0), timedelta(days=1)),
    max_internal_redirects=st.none() | UINT32,
    cluster_not_found_response_code=st.sampled_from(list(RouteActionClusterNotFoundResponseCode)),
    prefix_rewrite=TEXT,
)
HEADERS = st.builds(
    HeaderMatcher,
    name=TEXT,
    range_match=st.none() | st.builds(Int64Range, start=INT64, end=INT64),
    invert_match=st.booleans(),
)
ROUTES = st.builds(
    Route,
    name=TEXT,
    match=st.builds(RouteMatch, prefix=TEXT, headers=st.lists(HEADERS, max_size=3)),
    route=ACTIONS,
    metadata=st.none() | st.builds(Metadata, filter_metadata=st.dictionaries(TEXT, STRUCTS, max_size=3)),
    request_headers_to_remove=st.lists(TEXT, max_size=3),
    typed_per_filter_config=st.dictionaries(TEXT, st.builds(any_of, STRUCTS), max_size=2),
)
OTHERS = st.one_of(
    st.builds(DoubleRange, start=st.floats(), end=st.floats()),
    st.builds(FractionalPercent, numerator=UINT32),
    st.builds(Any, type_url=TEXT, value=st.binary(max_size=300)),
    st.builds(LocalityLbEndpoints, priority=UINT32, load_balancing_weight=st.none() | st.integers(1, 1 << 31)),
    st.builds(HeaderValue, key=TEXT, value=TEXT),
    st.builds(DirectResponseAction, status=UINT32),
    st.builds(VirtualHost, name=TEXT, domains=st.lists(TEXT, max_size=3), routes=st.lists(ROUTES, max_size=2)),
)


@settings(max_examples=60, deadline=None)
@given(STRUCTS | ROUTES | OTHERS)
def test_encode_is_bytes(message: Struct | Route | Any) -> None:
    assert encode(message) == bytes(message)


@settings(max_examples=20, deadline=None)
@given(ROUTES)
def test_any_is_what_was_packed(message: Route) -> None:
    packed = any_of(message)
    assert unpack(packed) is message
    assert bytes(Any.parse(bytes(packed))) == encode(packed)
    assert plain(unpack(Any(type_url=packed.type_url, value=packed.value))) == plain(message)


def test_values_that_are_false() -> None:
    for value in (Value(string_value=""), Value(bool_value=False), Value(number_value=0.0)):
        assert encode(value) == bytes(value) != b""
