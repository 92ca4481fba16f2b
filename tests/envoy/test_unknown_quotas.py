"""A route that names a quota its filter does not know, as for a moment when both change: refused, never without a limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from tests.envoy.proxy import Proxy, proxy
from tests.projects import compiled, pets
from xds.envoy.filters import local_limits
from xds.model import Gateway
from xds.native.rates import RateLimit

OPEN = """\
  /{path}:
    get:
      operationId: {path}
      security: []
      x-sidegate: {{policy: none, reason: a public page, rateLimits: [{limits}]}}
      responses: {{"200": {{description: ok}}}}
"""
LIMITS = {
    "raised": "{name: raised, by: [address], limit: 1000, per: second}",
    "recounted": "{name: recounted, by: [], limit: 2000, per: second}",
    "shadow": "{name: shadow, by: [], limit: 3000, per: second, shadow: true}",
    "same": "{name: same, by: ['header:x-team'], limit: 3, per: day}",
    "free": "",
}


def _gateway(upstream: int) -> Gateway:
    text = pets()["contracts/pets/v1.yaml"]
    paths = "".join(OPEN.format(path=path, limits=limits) for path, limits in LIMITS.items())
    settings = pets()["sidegate.yaml"].replace("127.0.0.1:9", f"127.0.0.1:{upstream}")
    return compiled(pets(contract=text.replace("components:", f"{paths}components:"), settings=settings)).gateway


def _before(limit: RateLimit) -> RateLimit:
    """What the filter still has of a limit: another number, or another number of keys."""
    match limit.name:
        case "raised" | "shadow":
            return replace(limit, limit=limit.limit + 1)
        case "recounted":
            return replace(limit, by=("address",))
    return limit


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    now = local_limits._at

    def before(slot: int, gateway: Gateway) -> Iterable[RateLimit]:
        return [_before(limit) for limit in now(slot, gateway)]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(local_limits, "_at", before)
        with proxy(_gateway, tmp_path_factory.mktemp("quotas")) as running:
            yield running


@pytest.mark.parametrize("path", ["raised", "recounted", "shadow"])
def test_a_quota_that_the_filter_does_not_know_is_refused(hop: Proxy, path: str) -> None:
    """Also the first request: nothing of it is let in."""
    answers = [hop.ask("GET", f"/pets/v1/{path}") for _ in range(20)]
    assert {answer.status for answer in answers} == {429}
    assert answers[0].problem["limit"] == path
    assert not [seen for seen in hop.upstream.seen if path in seen.path]


def test_what_the_filter_knows_counts_as_ever(hop: Proxy) -> None:
    for team in ("a", "b"):
        answers = [hop.ask("GET", "/pets/v1/same", {"x-team": team}) for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert [answer.headers["ratelimit"] for answer in answers[:2]] == ['"same";r=2;t=0', '"same";r=1;t=0']


def test_what_has_no_limit_is_let_in(hop: Proxy) -> None:
    assert {hop.ask("GET", "/pets/v1/free").status for _ in range(50)} == {200}


def test_what_is_counted_never_asks_the_default_bucket(hop: Proxy) -> None:
    """It has one token in ten years: two requests that took of it could not both be let in."""
    assert {hop.ask("GET", "/pets/v1/same", {"x-team": f"own-{number}"}).status for number in range(30)} == {200}
