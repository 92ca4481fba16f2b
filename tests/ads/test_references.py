"""A walk that remembers branches sees what a walk that begins from nothing sees."""

from __future__ import annotations

from tests.envoy.models import gateway, profile, version
from xds.envoy import lower
from xds.envoy.codec import encode
from xds.snapshot import references as walked
from xds.snapshot import snapshot_of
from xds.snapshot.types import CLUSTER, ROUTES


def _named(text: str, service: str, digest: str) -> set[str]:
    made = version(f"{service}/v1", [text, "GET /a", "POST /a", "GET /a/{x}", "GET /a/{x}/b"])
    object.__setattr__(made, "digest", digest)
    resources = lower(gateway(made), profile(authorities="/ca.pem"))
    (routes,) = snapshot_of(resources, encode).of(ROUTES).values()
    return {name for url, name in routes.references if url == CLUSTER}


def test_another_digest_is_the_same_branch() -> None:
    walked._branches.clear()
    assert _named("GET /b", "one", "0" * 16) == {"one/v1"}
    known = len(walked._branches)
    assert known > 1
    assert _named("GET /b", "one", "1" * 16) == {"one/v1"}
    assert len(walked._branches) == known


def test_another_cluster_is_another_branch() -> None:
    walked._branches.clear()
    assert _named("GET /b", "one", "0" * 16) == {"one/v1"}
    assert _named("GET /b", "two", "0" * 16) == {"two/v1"}
    assert _named("GET /c", "one", "0" * 16) == {"one/v1"}
