"""Whatever was lowered before, a gateway gives the bytes that it gives to a lowering that begins from nothing."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.envoy.models import BEARER, bearer, gateway, operation, profile, version
from xds.envoy import lower
from xds.envoy.codec import encode
from xds.envoy.routes import _kept
from xds.model import Gateway, Version

DIGESTS = ("0" * 16, "0123456789abcdef", "fedcba9876543210", "short")
# A path and an operation that hold a digest's text: replacing must not reach them.
OPERATIONS = (
    "GET /a",
    "POST /a",
    "GET /a/{x}",
    "GET /0123456789abcdef",
    operation("GET /b", BEARER),
    operation("GET /b"),
)

versions = st.tuples(st.sampled_from(DIGESTS), st.lists(st.sampled_from(OPERATIONS), min_size=1, unique_by=str))


def _made(drawn: tuple[str, list[object]]) -> Gateway:
    digest, operations = drawn
    found: dict[str, object] = {}
    for each in operations:
        found.setdefault(each if isinstance(each, str) else "GET /b", each)
    whole: Version = version("a/v1", list(found.values()))  # type: ignore[arg-type]
    return gateway(dataclasses.replace(whole, digest=digest), schemes=[bearer()])


def _bytes(made: Gateway) -> list[bytes]:
    given_profile = profile(authorities="/ca.pem")
    return [encode(m) for named in lower(made, given_profile).values() for m in named.values()]


@given(st.lists(versions, min_size=2, max_size=6))
@settings(max_examples=60, deadline=None)
def test_kept_is_made_anew(drawn: list[tuple[str, list[object]]]) -> None:
    _kept.cache_clear()
    warm = [_bytes(_made(each)) for each in drawn]
    for each, bytes_ in zip(drawn, warm, strict=True):
        _kept.cache_clear()
        assert _bytes(_made(each)) == bytes_
