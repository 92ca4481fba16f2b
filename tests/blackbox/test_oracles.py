"""The oracles on trial: before an Envoy that protects nothing, each of them must find what it looks for."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blackbox import http1, oracles
from tests.blackbox.bare import ENVOY, Bare
from tests.blackbox.case import Case, post, request
from tests.blackbox.oracles import Oracle
from tests.blackbox.world import World
from tests.e2e.collector import Collector
from tests.e2e.journal import Answer, Entry, Journal, as_json, routes
from tests.e2e.tokens import Issuer

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="the envoy binary is not installed beside this interpreter")


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def leaky(entry: Entry) -> Answer:
    """An upstream that also says what a gateway must never say."""
    if entry.path.endswith("/trace"):
        return as_json({"code": "boom", "detail": 'Traceback: File "/srv/app.py"'}, 500)
    if entry.path.endswith("/plain"):
        return Answer(400, (("content-type", "text/plain"),), (b"no",))
    return routes(entry)


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[World]:
    with (
        Journal(leaky) as journal,
        Collector() as collector,
        Bare(tmp_path_factory.mktemp("bare"), journal.port) as bare,
    ):
        gateway: Any = bare
        yield World(gateway, journal, collector, issuer)


def found(world: World, case: Case, oracle: Oracle) -> str:
    return "; ".join(oracle(world, world.run(case)))


def test_a_good_request_is_found_good(open_world: World) -> None:
    case = Case("good", request("/v1/items?limit=10"), {200})
    seen = open_world.run(case)
    assert [w for oracle in oracles.ORACLES for w in oracle(open_world, seen)] == []


@pytest.mark.parametrize(
    "target", ["/v1/internal/treasure", "/v1/items/../internal/treasure", "//v1/internal/treasure"]
)
def test_o1_finds_the_treasure(target: str, open_world: World) -> None:
    assert "reached the client" in found(open_world, Case("t", request(target), {404}), oracles.treasure)


def test_o2_finds_what_should_not_have_got_through(open_world: World) -> None:
    blocked = Case("t", request("/v1/items"), {200}, allowed=False)
    assert "1 requests reached the upstream" in found(open_world, blocked, oracles.journal)


def test_o2_finds_what_was_allowed_and_never_arrived(open_world: World) -> None:
    twice = Case("t", lambda world: world.ask(b"broken\r\n\r\n"), {400}, allowed=True)
    assert "0 requests reached" in found(open_world, twice, oracles.journal)


def test_o2_finds_a_path_that_is_not_normal(open_world: World) -> None:
    assert "not in normal form" in found(open_world, Case("t", request("/v1//items"), {200}), oracles.journal)


def test_o2_finds_a_decision_on_another_path(open_world: World) -> None:
    case = Case("t", request("/v1/items", headers=["x-policy-path: /v1/other"]), {200})
    assert "decided on" in found(open_world, case, oracles.journal)


def test_the_row_finds_a_wrong_status_and_code(open_world: World) -> None:
    assert "not one of [400]" in found(open_world, Case("t", request("/v1/items"), {400}), oracles.expected)
    assert "code" in found(open_world, Case("t", post({}), {200}, "type"), oracles.expected)


def test_o6_finds_plain_text_and_stack_traces(open_world: World) -> None:
    assert "not application/problem+json" in found(open_world, Case("t", request("/plain"), {400}), oracles.honest)
    assert "gives away" in found(open_world, Case("t", request("/trace"), {500}), oracles.honest)
    assert "something else" in found(open_world, Case("t", request("/plain"), {400}), oracles.honest)


def test_o7_finds_what_was_never_told(open_world: World) -> None:
    open_world.told.clear()
    open_world.run(Case("quiet", request("/v1/items"), {200}))
    missing = oracles.explained(open_world, patience=0)
    assert any("no log line" in m for m in missing)
    assert any("no server span" in m for m in missing)


def test_o8_finds_an_open_failure(tmp_path: Path, issuer: Issuer) -> None:
    with Journal() as journal, Collector() as collector, Bare(tmp_path, journal.port, checked=True) as bare:
        gateway: Any = bare
        world = World(gateway, journal, collector, issuer)
        assert "failure_mode_allowed" in found(world, Case("t", request("/v1/items"), {200}), oracles.no_fail_open)


def test_o3_finds_a_dead_process(tmp_path: Path, issuer: Issuer) -> None:
    def crash(world: World) -> http1.Exchange:
        exchange = world.good()
        bare.crash()
        return exchange

    with Journal() as journal, Collector() as collector, Bare(tmp_path, journal.port) as bare:
        gateway: Any = bare
        world = World(gateway, journal, collector, issuer)
        seen = world.run(Case("t", crash, {200}))
        with pytest.raises(ConnectionRefusedError):
            list(oracles.alive(world, seen))


class _Mute(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        self.request.recv(1 << 16)
        self.request.recv(1 << 16)


def test_o5_finds_half_an_answer() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mute) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        exchange = http1.ask(server.server_address[1], b"GET / HTTP/1.1\r\n\r\n", timeout=0.3)
        server.shutdown()
    assert exchange.end == "silent"
    assert exchange.status == 0


def test_the_story_of_a_failure_has_bytes_answers_and_oracles(open_world: World) -> None:
    seen = open_world.run(Case("Story", request("/v1/internal/treasure"), {404}))
    with pytest.raises(AssertionError) as failure:
        oracles.judge(open_world, seen)
    text = str(failure.value)
    for part in ("Story", "O1", "GET /v1/internal/treasure HTTP/1.1", "HTTP/1.1 200 OK", "upstream got"):
        assert part in text
