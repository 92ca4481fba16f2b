"""The requests that the server reads and the responses that it writes, against envoy-data-plane's own."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.ads.messages import (
    Response,
    WireError,
    decode_delta,
    decode_sotw,
    encode_delta,
    encode_sotw,
    names_in,
    nonce_field,
)
from xds.snapshot import Resource


@pytest.fixture(scope="module")
def discovery() -> object:
    from envoy_data_plane.envoy.service.discovery import v3

    return v3


def test_a_first_request_with_a_node(discovery: object) -> None:
    from envoy_data_plane.envoy.config.core import v3 as core
    from envoy_data_plane.google.protobuf import Struct
    from envoy_data_plane.google.rpc import Status

    metadata = {"group": "edge", "deep": {"list": [1.5, True, None, "x", []]}}
    extensions = [
        core.Extension(name=f"envoy.filters.http.number_{i}", category="envoy.filters.http") for i in range(900)
    ]
    node = core.Node(
        id="n", cluster="c", metadata=Struct.from_dict(metadata), user_agent_name="envoy", extensions=extensions
    )
    sent = discovery.DiscoveryRequest(  # type: ignore[attr-defined]
        version_info="v",
        node=node,
        resource_names=["a", ""],
        type_url="t",
        response_nonce="7",
        error_detail=Status(code=3),
    )
    data = bytes(sent)
    start = time.process_time()
    read = decode_sotw(data)
    took = time.process_time() - start
    assert (read.version, read.names, read.type_url, read.nonce, read.error) == ("v", ("a", ""), "t", "7", "")
    assert read.node is not None
    assert (read.node.id, read.node.cluster, read.node.metadata) == ("n", "c", metadata)
    assert took < 0.1, "the list of extensions is skipped, not parsed"


def test_a_delta_request(discovery: object) -> None:
    sent = discovery.DeltaDiscoveryRequest(  # type: ignore[attr-defined]
        type_url="t",
        resource_names_subscribe=["a"],
        resource_names_unsubscribe=["b"],
        initial_resource_versions={"c": "1", "d": ""},
        response_nonce="9",
    )
    read = decode_delta(bytes(sent))
    assert (read.type_url, read.names, read.dropped, dict(read.held), read.nonce, read.error) == (
        "t",
        ("a",),
        ("b",),
        {"c": "1", "d": ""},
        "9",
        None,
    )


def test_responses_are_what_others_read(discovery: object) -> None:
    response = Response("t", "v", "3", (Resource("t", "a", "1", b"\x0a\x01a"), Resource("t", "b", "2", b"")), ("gone",))
    read = discovery.DiscoveryResponse.parse(encode_sotw(response) + nonce_field("3"))  # type: ignore[attr-defined]
    assert (read.version_info, read.type_url, read.nonce) == ("v", "t", "3")
    assert [(r.type_url, r.value) for r in read.resources] == [("t", b"\x0a\x01a"), ("t", b"")]
    read = discovery.DeltaDiscoveryResponse.parse(encode_delta(response) + nonce_field("3"))  # type: ignore[attr-defined]
    assert (read.system_version_info, read.nonce, read.removed_resources) == ("v", "3", ["gone"])
    assert [(r.name, r.version, r.resource.value) for r in read.resources] == [
        ("a", "1", b"\x0a\x01a"),
        ("b", "2", b""),
    ]


@given(st.binary(max_size=80))
def test_any_bytes_are_a_request_or_a_wire_error(data: bytes) -> None:
    for decode in (decode_sotw, decode_delta):
        try:
            decode(data)
        except WireError:
            continue


def test_metadata_as_deep_as_the_message_is_long_is_cut_off() -> None:
    from xds.snapshot.wire import element

    value = element(3, b"x")
    for _ in range(3000):
        value = element(5, element(1, element(1, b"k") + element(2, value)))
    read = decode_sotw(element(2, element(1, b"n") + element(3, element(1, element(1, b"k") + element(2, value)))))
    assert read.node is not None


def test_names_are_found_in_prose_as_whole_words() -> None:
    names = ("catalog", "catalog.v1", "up", "a/b")
    assert names_in("Error adding/updating cluster(s) catalog.v1: bad, upstream a/b/c", names) == ("catalog.v1",)
    assert names_in("catalog: no. up.", names) == ("catalog", "up")
    assert names_in("", names) == ()
