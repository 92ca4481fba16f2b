"""Whatever was lowered before, a gateway gives what it gives to a lowering that begins from nothing: bytes and references."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.envoy.models import BEARER, bearer, gateway, operation, profile, version
from xds.envoy import lower
from xds.envoy.codec import encode
from xds.envoy.routes import _kept, kept_of
from xds.model import Gateway, Operation, Place, SchemaRef, Schemas
from xds.snapshot import Snapshot, snapshot_of
from xds.snapshot.references import references

PROFILE = profile(authorities="/ca.pem")
DIGESTS = ("0" * 16, "0123456789abcdef", "fedcba9876543210", "short")


def _upload(text: str) -> Operation:
    """Its body streams or not as its schema says, which may stand in another file: the operation stays what it is."""
    made = operation(text, body="application/octet-stream")
    assert made.body
    media = dataclasses.replace(made.body.media[0], schema=SchemaRef("x:///y#/s", Place("y")))
    return dataclasses.replace(made, body=dataclasses.replace(made.body, media=(media,)))


# A path that is a digest's text: replacing must not reach it. Two that are one path but for their names' letters and one that
# inherits from both; what differs in the token alone, under one path.
OPERATIONS = (
    *map(operation, ("GET /a", "POST /a", "GET /a/{x}", "PUT /a/{y}", "GET /a/{x}/b", "GET /a/b", "GET /{z}/b", "GET /a/b/c")),
    *map(operation, ("GET /0123456789abcdef", "GET /fedcba9876543210/{x}")),
    operation("GET /b", BEARER),
    operation("GET /b"),
    operation("POST /b", body="application/json"),
    _upload("PUT /b"),
    _upload("POST /a/{x}"),
)  # fmt: skip
VERSIONS = ("a/v1", "a/v2", "b/v1")
SCHEMAS = (Schemas({"x:///y": {"s": True}}), Schemas({"x:///y": {"s": {"type": "object"}}}))
UPSTREAMS = ("http://127.0.0.1:9001", "http://127.0.0.1:9002")

held = st.dictionaries(st.sampled_from(range(len(OPERATIONS))), st.sampled_from(VERSIONS), max_size=10)
about = st.tuples(st.sampled_from(DIGESTS), st.sampled_from(SCHEMAS), st.sampled_from(UPSTREAMS))
gateways = st.tuples(held, st.tuples(about, about, about), st.booleans())


def _made(drawn: tuple[dict[int, str], tuple[Any, ...], bool]) -> Gateway:
    """Each operation in a version, or in none; method and path are one operation's at a time."""
    owned, described, hosted = drawn
    claimed = {(OPERATIONS[n].method, OPERATIONS[n].path.text): n for n in sorted(owned)}
    made = []
    for name, (digest, schemas, upstream) in zip(VERSIONS, described, strict=True):
        operations = [OPERATIONS[n] for n in claimed.values() if owned[n] == name]
        whole = version(name, operations, upstream)
        made.append(dataclasses.replace(whole, digest=digest, schemas=schemas))
    return gateway(*made, hosts={"b": ("b.test",)} if hosted else {}, schemes=[bearer()])


def _cold(made: Gateway) -> Snapshot:
    _kept.cache_clear()
    return snapshot_of(lower(made, PROFILE), encode)


def _contents(snapshot: Snapshot) -> Mapping[str, Any]:
    return {
        url: {name: (r.body, r.references, r.opaque) for name, r in of.items()}
        for url, of in snapshot.resources.items()
    }


@given(st.lists(gateways, min_size=2, max_size=6))
@settings(max_examples=60, deadline=None)
def test_kept_is_made_anew(drawn: list[tuple[dict[int, str], tuple[Any, ...], bool]]) -> None:
    _kept.cache_clear()
    made = [_made(each) for each in drawn]
    warm = [snapshot_of(lower(each, PROFILE), encode) for each in made]
    for each, snapshot in zip(made, warm, strict=True):
        assert _contents(snapshot) == _contents(_cold(each))


@given(st.lists(gateways, min_size=2, max_size=4))
@settings(max_examples=30, deadline=None)
def test_references_of_parts_are_those_of_the_whole(drawn: list[tuple[dict[int, str], tuple[Any, ...], bool]]) -> None:
    for each in drawn:
        for named in snapshot_of(lower(_made(each), PROFILE), encode).resources.values():
            for resource in named.values():
                found = references(resource.type_url, resource.body)
                assert set(resource.references) == set(found.references)
                assert set(resource.opaque) == found.opaque


@given(st.lists(gateways, min_size=2, max_size=3))
@settings(max_examples=15, deadline=None)
def test_fields_are_of_the_bytes(drawn: list[tuple[dict[int, str], tuple[Any, ...], bool]]) -> None:
    """What is put together of bytes shows, to whoever looks, the fields that a validating encoder writes as these bytes."""
    for each in drawn:
        for named in lower(_made(each), PROFILE).values():
            for message in named.values():
                known = encode(message)
                assert bytes(message) == known


def test_what_is_gone_is_let_go() -> None:
    _kept.cache_clear()
    whole = version("a/v1", ["GET /a", "GET /a/{x}", "GET /a/{x}/c", "GET /b"])
    less = version("a/v1", ["GET /b"])
    made = gateway(whole)
    lower(made, PROFILE)
    kept = kept_of("*", [whole], made, PROFILE)
    assert set(kept.groups) == {"/a", "/a/", "/b"}
    assert kept.paths
    made = gateway(less)
    lower(made, PROFILE)
    assert kept_of("*", [less], made, PROFILE) is kept
    assert _kept.cache_info().currsize == 1
    assert set(kept.groups) == {"/b"}
    assert not kept.paths
