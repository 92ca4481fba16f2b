"""`cache` before an upstream whose balance is a hash: a miss goes where the same request would go without a cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.features.upstreams import upstreams

_new = itertools.count(1)
BY = {
    "ring": "header:x-user",
    "claim": "claim:sub",
    "name": "claim:name",
    "address": "address",
    "cookie": "cookie:seat",
}
VALUES = [str(each) for each in range(12)]


def _document(service: str) -> str:
    """The same operation with and without a cache."""
    own = {"undeclared": "pass", "policy": "none", "reason": "the test's"}
    kept = {**own, "cache": {"ttl": "60s", "shared": True}}
    bearer: dict[str, Any] = {"security": [{"bearer": []}]}
    paths = {
        f"/{service}/plain": {"get": operation(x_sidegate=own, **bearer)},
        f"/{service}/kept": {"get": operation(x_sidegate=kept, **bearer)},
    }
    return yaml.safe_dump(contract(paths))


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with upstreams("a", "b", "c") as each:
        urls = [one.url for one in each]
        services = {name: {"upstream": {"urls": urls, "balance": {"maglev": {"by": by}}}} for name, by in BY.items()}
        files = {f"contracts/{name}/v1.yaml": _document(name) for name in BY}
        settings = {"services": services, "trustedHops": 1}
        folder = tmp_path_factory.mktemp("hashed")
        with serve(folder, contract({"/": {"get": operation()}}), settings=settings, files=files) as running:
            yield running


def _who(hop: Hop, path: str, value: str, **claims: Any) -> str:
    token = hop.issuer.token(sub=value, **{"name": value, **claims})
    headers = {
        "authorization": f"Bearer {token}",
        "x-user": value,
        "cookie": f"seat={value}",
        "x-forwarded-for": f"192.0.2.{value}",
        "x-sidegate-held-hash": "forged",
    }
    answer = hop.client.get(f"{path}?new={next(_new)}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert "age" not in answer.headers
    return str(answer.json()["upstream"])


@pytest.mark.parametrize("service", BY)
def test_a_miss_goes_where_all_others_go(hop: Hop, service: str) -> None:
    plain = {value: _who(hop, f"/{service}/plain", value) for value in VALUES}
    assert len(set(plain.values())) > 1
    for _ in range(2):
        assert {value: _who(hop, f"/{service}/kept", value) for value in VALUES} == plain


def test_a_claim_that_no_header_may_hold_writes_none(hop: Hop) -> None:
    """It would be a line of its own on the way to the origin listener."""
    name = "x\r\nx-sidegate-held-asked: ring/v1/get_ring_plain\r\nx-y: z"
    assert _who(hop, "/name/kept", "1", name=name) in ("a", "b", "c")
