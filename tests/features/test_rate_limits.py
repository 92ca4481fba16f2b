"""`rateLimits` counted in the proxy: who shares a bucket, what is told, what is refused, and what is no limit at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from httpx import Response

from tests.features.hop import Hop, contract, operation, serve


def limit(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "by": [], "limit": 3, "per": "hour", **more}


def limited(*limits: dict[str, object], **more: object) -> dict[str, object]:
    return operation(x_sidegate={"rateLimits": list(limits)}, **more)


def query(name: str, **schema: object) -> dict[str, object]:
    return {"name": name, "in": "query", "schema": {"type": "integer", **schema}}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    bearer = [{"bearer": []}]
    paths = {
        "/address": {"get": limited(limit("addresses", by=["address"]))},
        "/client": {"get": limited(limit("clients", by=["client"]), security=[*bearer, {}])},
    }
    with serve(tmp_path_factory.mktemp("limits"), contract(paths)) as running:
        yield running


def statuses(answers: list[Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_limit_by_address(hop: Hop) -> None:
    answers = [hop.client.get("/address") for _ in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]
    assert [a.headers["ratelimit"] for a in answers[:2]] == ['"addresses";r=2;t=0', '"addresses";r=1;t=0']
    refused = answers[-1]
    assert refused.headers["ratelimit-policy"] == '"addresses";q=3;w=3600'
    assert refused.headers["ratelimit"] == '"addresses";r=0;t=1200'
    assert refused.headers["retry-after"] == "1200"
    assert refused.headers["content-type"] == "application/problem+json"
    document = refused.json()
    assert (document["code"], document["limit"], document["status"]) == ("rate-limited", "addresses", 429)
    assert not [name for answer in answers for name in answer.headers if name.startswith(("x-ratelimit", "x-sidegate"))]
    assert len(hop.reached()) == 3
    upstream = {name.lower() for request in hop.reached() for name, _ in request.headers.items()}
    assert not [name for name in upstream if name.startswith("x-sidegate")]
