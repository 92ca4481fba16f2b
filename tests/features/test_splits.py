"""`split` and `mirror`: whose service gets a request, while contract and policy stay those of the version that matched."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.features.upstreams import Upstream, upstreams
from tests.projects import compiled_with
from tests.waiting import PATIENCE_S, until
from xds.control.access import read

LIMIT = [{"in": "query", "name": "limit", "schema": {"type": "integer"}}]


@dataclass
class Both:
    hop: Hop
    old: Upstream
    new: Upstream


def _versions(share: int) -> dict[str, object]:
    split = {"split": {"v1": 100 - share, "v2": share}}
    mirrored = {"mirror": {"to": "v2", "percent": 100}}
    first = {
        "/things": {"get": operation(x_sidegate=split, parameters=LIMIT, operationId="things")},
        "/copied": {"get": operation(x_sidegate=mirrored), "post": operation(x_sidegate={**mirrored, "mode": "off"})},
    }
    return {
        "v1": contract(first, servers=[{"url": "/v1"}]),
        "v2": contract({"/things": {"get": operation(operationId="newThings")}}, servers=[{"url": "/v2"}]),
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with upstreams("old", "new") as (old, new):
        versions = {"v1": {"upstream": old.url}, "v2": {"upstream": {"endpoints": [{"address": new.address}]}}}
        settings = {"services": {"svc": {"versions": versions}}}
        folder = tmp_path_factory.mktemp("splits")
        with serve(folder, _versions(25), settings=settings) as hop:  # type: ignore[arg-type]
            yield Both(hop, old, new)


def test_requests_are_shared_out(both: Both) -> None:
    count = Counter(both.hop.client.get("/v1/things").json()["upstream"] for _ in range(200))
    assert 25 <= count["new"] <= 80, count  # 50 expected; outside of this once in ten thousand runs
    assert count["old"] == 200 - count["new"]


def test_whoever_answers_the_contract_is_the_one_that_matched(both: Both) -> None:
    """v2 declares no `limit`, v1 wants a number: each of many requests is judged, and told of, by v1's contract."""
    for _ in range(30):
        assert both.hop.client.get("/v1/things?limit=3").status_code == 200
        refused = both.hop.client.get("/v1/things?limit=x")
        assert (refused.status_code, refused.json()["operationId"]) == (400, "things")
    assert both.hop.client.get("/v2/things?limit=3").status_code == 400
    lines = (both.hop.folder / ".sidegate" / "access.log").read_text().splitlines()
    seen = {(row["operation"], row["version"]) for row in map(read, lines) if row["path"].startswith("/v1/things")}
    assert seen == {("things", "v1")}


def test_a_mirror_gets_copies_and_answers_nobody(both: Both) -> None:
    before = len(both.new.seen)
    both.new.status = 500
    both.new.answering.clear()
    try:
        answers = [both.hop.client.get("/v1/copied") for _ in range(3)]
        answers.append(both.hop.client.post("/v1/copied", content=b"x" * 1000))
        assert {(a.status_code, a.json()["upstream"]) for a in answers} == {(200, "old")}
        until(lambda: len(both.new.seen) == before + 4)
    finally:
        both.new.status = 200
        both.new.answering.set()
    copies = both.new.seen[before:]
    assert {(method, target) for method, target, _ in copies} == {("GET", "/v1/copied"), ("POST", "/v1/copied")}
    for _, _, headers in copies:
        assert not [name for name in headers if name.startswith("x-sidegate")]
        assert "shadow" not in headers["host"]


def test_a_share_changes_under_load_and_nothing_is_dropped(both: Both) -> None:
    """From a quarter to everything while requests run: none fails, no connection is closed, and then only v2 answers."""
    failed: list[object] = []
    asked = Counter[str]()
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=both.hop.gateway.url, trust_env=False, timeout=PATIENCE_S) as client:
            while not stop.is_set():
                try:
                    answer = client.get("/v1/things")
                except httpx.HTTPError as error:
                    failed.append(error)
                    continue
                if answer.status_code != 200 or answer.headers.get("connection") == "close":
                    failed.append(answer)
                else:
                    asked[answer.json()["upstream"]] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for share in (50, 100):
            text = yaml.safe_dump(_versions(share)["v1"])
            (both.hop.folder / "contracts" / "svc" / "v1.yaml").write_text(text)
            before = asked.total()
            until(lambda before=before: failed or asked.total() > before + 100)
        until(lambda: {both.hop.client.get("/v1/things").json()["upstream"] for _ in range(20)} == {"new"})
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert asked["old"] > 5
    assert asked["new"] > 5


@pytest.mark.parametrize(
    ("written", "pointer", "message", "help"),
    [
        ("split: {v1: 90}", "", "add up to 90", "percent"),
        ("split: {v1: 90, v2: 10}", "/v2", "no version v2", "`v1`"),
        ("split: {v1: 101}", "/v1", "", "percent"),
        ("split: {}", "", "", "shares"),
        ("mirror: {to: v11}", "/to", "no version v11", "did you mean `v1`?"),
        ("mirror: {to: v1}", "/to", "everything twice", "another"),
        ("mirror: {to: v1, percent: 0}", "/percent", "", "hundred"),
    ],
)
def test_bad_settings_have_a_place(written: str, pointer: str, message: str, help: str) -> None:
    (found,) = compiled_with(written)
    assert found.code == "extension-value"
    assert found.span
    assert found.span.pointer.endswith(written.partition(":")[0] + pointer)
    assert message in found.message
    assert help in (found.help or "")
