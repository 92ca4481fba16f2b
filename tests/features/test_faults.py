"""`fault`: requests are delayed or refused on purpose, where sidegate.yaml allows it, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import SETTINGS, compiled_with, pets, tree
from xds.compile import Compiler


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    half = {"abort": {"status": 429, "percent": 50}}
    paths = {
        "/plain": {"get": operation()},
        "/late": {"get": operation(x_sidegate={"fault": {"delay": "300ms"}})},
        "/refused": {"get": operation(security=[{"bearer": []}], x_sidegate={"fault": {"abort": {"status": 503}}})},
        "/half": {"get": operation(x_sidegate={"fault": half})},
    }
    with serve(tmp_path_factory.mktemp("faults"), contract(paths), settings={"faults": "allowed"}) as running:
        yield running


def test_a_delay(hop: Hop) -> None:
    began = time.monotonic()
    assert hop.client.get("/late").status_code == 200
    assert time.monotonic() - began >= 0.3


def test_an_abort_is_a_problem_document(hop: Hop) -> None:
    since = len(hop.server.log)
    refused = hop.client.get("/refused")
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    document = refused.json()
    assert (document["code"], document["status"], document["operationId"]) == ("fault-injected", 503, "get_refused")
    assert len(document["traceId"]) == 32
    assert hop.reached(since) == []


def test_a_share_of_the_requests(hop: Hop) -> None:
    statuses = [hop.client.get("/half").status_code for _ in range(100)]
    assert set(statuses) == {200, 429}
    assert 20 <= statuses.count(429) <= 80


def test_nobody_can_ask_for_a_fault(hop: Hop) -> None:
    asking = {"x-envoy-fault-abort-request": "503", "x-envoy-fault-delay-request": "30000"}
    began = time.monotonic()
    assert hop.client.get("/plain", headers=asking).status_code == 200
    assert time.monotonic() - began < 30


def test_faults_are_refused_unless_allowed() -> None:
    (found,) = compiled_with("fault: {delay: 1s}")
    assert (found.code, found.span and found.span.line) == ("fault-forbidden", 9)
    assert "faults: allowed" in (found.help or "")


def test_what_allows_them_is_one_word() -> None:
    found = Compiler().compile(tree(pets(settings=SETTINGS + "faults: yes please\n"))).diagnostics
    assert [(d.code, d.span and d.span.file) for d in found] == [("settings-invalid", "sidegate.yaml")]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("fault: {}", "not valid under any"),
        ("fault: {abort: {status: 200}}", "less than the minimum"),
        ("fault: {delay: 2h}", "at most 60 s"),
        ("fault: {abort: {status: 503}, percent: 5}", "there is no `delay`"),
        ("fault: {delay: 1s, percent: 101}", "greater than the maximum"),
    ],
)
def test_bad_settings_have_a_place(written: str, said: str) -> None:
    found = [d for d in compiled_with(written) if d.code == "extension-value"]
    assert [said in d.message for d in found] == [True]
    assert found[0].span is not None
    assert found[0].span.line == 9
