"""`discovery: eds`: endpoints come and go under load, their cluster and routes stay, and no request is dropped. Limits."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.features.upstreams import Upstream, upstreams
from tests.waiting import PATIENCE_S, until

OWN = {"policy": "none", "reason": "the test's"}
RETRIED = {"retries": {"attempts": 2, "on": ["503"], "backoff": {"base": "1ms"}}, **OWN}


@dataclass
class Pool:
    hop: Hop
    a: Upstream
    b: Upstream
    narrow: Upstream
    broken: Upstream


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with upstreams("a", "b", "narrow", "broken") as (a, b, narrow, broken):
        documents = {
            "narrow": contract({"/narrow": {"get": operation(x_sidegate=OWN)}}),
            "broken": contract({"/broken": {"get": operation(x_sidegate=RETRIED)}}),
            "out": contract({"/out": {"get": operation(x_sidegate=OWN)}}),
        }
        settings = {
            "svc": {"upstream": {"endpoints": [{"address": a.address}], "discovery": "eds"}},
            "narrow": {"upstream": {"url": narrow.url, "limits": {"connections": 1, "pending": 1, "requests": 2}}},
            "broken": {"upstream": {"url": broken.url, "retryBudget": {"percent": 0, "minimum": 0}}},
            "out": {"upstream": {"urls": [a.url, broken.url], "outliers": {"serverErrors": 2, "interval": "200ms"}}},
        }
        files = {f"contracts/{name}/v1.yaml": yaml.safe_dump(document) for name, document in documents.items()}
        folder = tmp_path_factory.mktemp("endpoints")
        document = contract({"/": {"get": operation(x_sidegate=OWN)}})
        with serve(folder, document, settings={"services": settings}, files=files) as hop:
            yield Pool(hop, a, b, narrow, broken)


@dataclass
class Load:
    """Clients that ask until the block ends; `answers` counts upstreams, `failed` holds what was no 200."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    failed: list[object] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE_S) as client:
            while not self._stop.is_set():
                try:
                    answer = client.get("/")
                except httpx.HTTPError as error:
                    self.failed.append(error)
                    continue
                if answer.status_code == 200 and "close" not in answer.headers.get("connection", ""):
                    self.answers[answer.json()["upstream"]] += 1
                else:
                    self.failed.append(answer)


def _endpoints(pool: Pool, *chosen: Upstream) -> None:
    file = pool.hop.folder / "sidegate.yaml"
    settings: dict[str, Any] = yaml.safe_load(file.read_text())
    settings["services"]["svc"]["upstream"]["endpoints"] = [{"address": each.address} for each in chosen]
    file.write_text(yaml.safe_dump(settings))


def test_endpoints_come_and_go_and_nothing_is_dropped(pool: Pool) -> None:
    """From one to two to the other one, while requests run."""
    digests = json.loads(pool.hop.gateway.manage("/ready").body)["digests"]
    with Load(pool.hop.gateway.url) as load:
        until(lambda: load.answers["a"] > 5)
        _endpoints(pool, pool.a, pool.b)
        until(lambda: load.answers["b"] > 5)
        _endpoints(pool, pool.b)
        until(lambda: {pool.hop.client.get("/").json()["upstream"] for _ in range(12)} == {"b"})
        before, others = load.answers["a"], load.answers["b"]
        until(lambda: load.answers["b"] > others + 20)
        assert load.answers["a"] - before <= 3, "requests that were under way"
    assert not load.failed
    assert json.loads(pool.hop.gateway.manage("/ready").body)["digests"] == digests, "nothing is judged differently"


def test_what_is_over_the_limits_is_refused_at_once(pool: Pool) -> None:
    """One connection, one more that waits; the others are told to come back."""
    url = f"{pool.hop.gateway.url}/narrow"
    pool.narrow.answering.clear()
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(httpx.get, url, trust_env=False, timeout=PATIENCE_S) for _ in range(8)]
        try:
            until(lambda: sum(each.done() for each in asked) >= 4)
        finally:
            pool.narrow.answering.set()
    answers = [each.result() for each in asked]
    count = Counter(answer.status_code for answer in answers)
    assert count[200] >= 1
    assert count[503] >= 4
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("overloaded", "1")


def test_a_budget_of_nothing_is_no_retry(pool: Pool) -> None:
    pool.broken.status = 503
    before = len(pool.broken.seen)
    try:
        assert pool.hop.client.get("/broken").status_code == 503
        assert len(pool.broken.seen) - before == 1
    finally:
        pool.broken.status = 200


def test_an_endpoint_that_answers_errors_is_left_out(pool: Pool) -> None:
    assert {pool.hop.client.get("/out").json()["upstream"] for _ in range(8)} == {"a", "broken"}
    pool.broken.status = 500
    try:
        until(lambda: all(pool.hop.client.get("/out").status_code == 200 for _ in range(8)))
    finally:
        pool.broken.status = 200
