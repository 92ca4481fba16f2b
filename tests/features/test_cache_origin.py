"""`cache`: what is not kept is asked of the operation that was judged, whatever became of the request by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.features.upstreams import Upstream, upstreams

SHARED = {"ttl": "60s", "shared": True}
OFF = {"policy": "none", "reason": "the test's"}
CLOSED: list[Any] = [{"bearer": []}]


@dataclass
class Two:
    """`open_` is the service of v1, which needs nothing; `closed` that of v2, whose operations need a token."""

    hop: Hop
    open_: Upstream
    closed: Upstream


def _documents() -> dict[str, Any]:
    def own(**more: Any) -> dict[str, Any]:
        return {**OFF, "cache": SHARED, **more}

    beta, level, flag = {"headers": {"x-beta": "1"}}, {"headers": {"x-lvl": "9"}}, {"query": {"f": "1"}}
    query = [{"in": "query", "name": "f", "schema": {"type": "string"}}]
    first = {
        "/removed": {"get": operation(x_sidegate=own(match=beta, headers={"request": {"remove": ["x-beta"]}}))},
        "/set": {"get": operation(x_sidegate=own(headers={"request": {"set": {"x-lvl": "9"}}}))},
        "/held": {"get": operation(x_sidegate=own(match={"headers": {"accept-encoding": "gzip"}}))},
        "/query": {"get": operation(x_sidegate=own(match=flag, query={"remove": ["f"]}), parameters=query)},
    }
    second = {
        "/removed": {"get": operation(security=CLOSED, x_sidegate=OFF)},
        "/set": {
            "get": operation(
                security=CLOSED, x_sidegate={"match": level, "addresses": {"deny": ["0.0.0.0/0"]}, "cache": SHARED}
            )
        },
        "/held": {"get": operation(security=CLOSED, x_sidegate=OFF)},
    }
    return {"v1": contract(first), "v2": contract(second)}


def _dated(value: str, paths: dict[str, Any], **more: Any) -> str:
    return yaml.safe_dump(
        contract(paths, **{"x-sidegate": {"version": {"header": "api-version", "value": value, **more}}})
    )


def _named_by_header() -> dict[str, str]:
    """Two versions of one path, of which the first is named and the second is the default."""
    taken_off = {**OFF, "cache": SHARED, "headers": {"request": {"remove": ["api-version"]}}}
    first = {"/dated": {"get": operation(x_sidegate=taken_off)}}
    second = {"/dated": {"get": operation(security=CLOSED, x_sidegate=OFF)}}
    texts = {"v1": _dated("1", first), "v2": _dated("2", second, default=True)}
    return {f"contracts/dated/{name}.yaml": text for name, text in texts.items()}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with upstreams("open", "closed") as (open_, closed):
        versions = {"v1": {"upstream": open_.url}, "v2": {"upstream": closed.url}}
        settings = {"services": {name: {"versions": versions} for name in ("svc", "dated")}}
        folder = tmp_path_factory.mktemp("origin")
        with serve(folder, _documents(), settings=settings, files=_named_by_header()) as hop:
            yield Two(hop, open_, closed)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/removed", {"x-beta": "1"}),
        ("/set", {}),
        ("/held", {"accept-encoding": "gzip"}),
        ("/query?f=1", {}),
        ("/dated", {"api-version": "1"}),
        ("/removed", {"x-beta": "1", "range": "bytes=0-3"}),
        ("/removed", {"x-beta": "1", "x-sidegate-held-asked": "svc/v2/get--removed"}),
    ],
)
def test_a_miss_is_of_the_operation_that_was_judged(two: Two, path: str, headers: dict[str, str]) -> None:
    before = len(two.closed.seen)
    answer = two.hop.client.get(path, headers={"accept-encoding": "identity", **headers})
    assert answer.status_code in (200, 206), answer.text
    assert answer.content.startswith(b'{"up')
    assert len(two.closed.seen) == before
    assert path.replace("?f=1", "") in {target for _, target, _ in two.open_.seen}


@pytest.mark.parametrize("path", ["/removed", "/held", "/dated"])
def test_the_other_operation_needs_what_it_says(two: Two, path: str) -> None:
    headers = {"accept-encoding": "identity"}
    assert two.hop.client.get(path, headers=headers).status_code == 401
    token = {"authorization": f"Bearer {two.hop.issuer.token()}"}
    assert two.hop.client.get(path, headers={**headers, **token}).json() == {"upstream": "closed"}


def test_what_the_other_operation_denies_is_denied(two: Two) -> None:
    token = {"authorization": f"Bearer {two.hop.issuer.token()}"}
    assert two.hop.client.get("/set", headers={"x-lvl": "9", **token}).status_code == 403
