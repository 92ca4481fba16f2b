"""Companions of a mesh under load end, hang, and answer wrongly (cases V)."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter

import pytest

from tests.blackbox import http1
from tests.blackbox.relay import Fault, Relay
from tests.e2e.processes import tree
from tests.mesh.load import ALLOWED
from tests.mesh.world import World
from tests.roles.running import until

pytestmark = pytest.mark.slow

JUDGED = ("catalog-companion", "edge-companion")
ITEM = "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"
MIB = 1 << 20
PROBLEM = "application/problem+json"


def test_companions_that_die_let_nothing_through(world: World) -> None:
    """V01: what they would judge is refused with 503 until they are back; refusals by the proxy alone stay."""
    parts = [world.mesh.parts[name] for name in JUDGED]
    with world.load() as load:
        load.more()
        for part in parts:
            part.kill()
        until(lambda: any(status == 503 for _, status in load.wrong), lambda: load.right)
        for part in parts:
            part.start(world.mesh.folder)
        for part in parts:
            world.mesh.wait(part)
        load.more()
    assert {status for _, status in load.wrong} == {503}
    assert not {target for target, _ in load.wrong} & {"/catalog/v1/internal/treasure"}
    world.served(load)


def test_companions_that_hang_let_nothing_through(world: World) -> None:
    """V02: stopped, not ended: 503 once Envoy's patience is over, and nothing is forwarded when they wake."""
    pids = [world.process(name).pid for name in JUDGED]
    with world.load() as load:
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            until(lambda: (ALLOWED[0], 503) in load.wrong, lambda: load.wrong)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        world.well()
        load.more()
    assert {status for _, status in load.wrong} == {503}
    assert not {target for target, _ in load.wrong} & {"/catalog/v1/internal/treasure"}
    reached = world.reached()
    assert set(reached) <= {*ALLOWED}
    assert all(reached[target] >= load.served[target] for target in ALLOWED)


def test_a_companion_that_is_told_to_end_judges_what_is_open(world: World) -> None:
    """V05: a hundred bodies half sent, then SIGTERM to both that judge them: each is decided, none forwarded unjudged."""
    posts = [_order(world, quantity) for quantity in (1, -1)]
    journal, names = world.journals["orders"], ("orders-companion", "edge-companion")
    mark = journal.mark()
    connections = [http1.Connection(world.mesh.ports["edge"], 30) for _ in range(100)]
    try:
        for number, connection in enumerate(connections):
            connection.send(posts[number % 2][:-5])
        for name in names:
            os.kill(world.process(name).pid, signal.SIGTERM)
        for number, connection in enumerate(connections):
            connection.send(posts[number % 2][-5:])
        statuses = [connection.read().status for connection in connections]
    finally:
        for connection in connections:
            connection.close()
        for name in names:
            world.mesh.parts[name].kill()
            world.mesh.parts[name].start(world.mesh.folder)
        for name in names:
            world.mesh.wait(world.mesh.parts[name])
    assert set(statuses[::2]) <= {200, 503}, Counter(statuses)
    assert set(statuses[1::2]) <= {400, 503}, Counter(statuses)
    posted = [entry for entry in journal.since(mark) if entry.method == "POST"]
    assert len(posted) == statuses.count(200)
    assert not [entry for entry in posted if b"-1" in entry.body]


def test_processes_that_decide_die_one_after_another(world: World) -> None:
    """V07: the workers of the policy engine; a request may be refused, none is decided wrongly."""
    with world.load() as load:
        for name in (*JUDGED, *JUDGED):
            companion = world.process(name)
            workers = [each for each in tree(companion.pid) if each.parent == companion.pid]
            assert workers
            os.kill(workers[0].pid, signal.SIGKILL)
            load.more()
    assert {status for _, status in load.wrong} <= {503}
    assert not [ask for ask in load.wrong if ask[0] == "/catalog/v1/internal/treasure"]
    world.served(load)


def test_answers_that_no_companion_gives(world: World) -> None:
    """V01, V04, V08, V11: a companion that is somebody else, and breaks in each way: the app hears nothing."""
    envoy = world.mesh.parts["catalog-envoy"]
    words, at = envoy.words, envoy.words.index("--companion") + 1
    with Relay() as relay:
        try:
            relay.fault = Fault.CLOSE
            envoy.words = (*words[:at], f"127.0.0.1:{relay.port}", *words[at + 1 :])
            world.mesh.restart("catalog-envoy")
            mark = world.journals["catalog"].mark()
            for fault in (f for f in Fault if f not in (Fault.NONE, Fault.REDIRECT)):
                relay.set(fault)
                answer = world.ask(ALLOWED[0], at="catalog")
                assert answer.status_code in (500, 502, 503, 504), (fault, answer)
                assert answer.headers["content-type"] == PROBLEM
                assert world.ask("/catalog/v1/internal/treasure").status_code == 404
            assert world.journals["catalog"].since(mark) == []
        finally:
            envoy.words = words
            world.mesh.restart("catalog-envoy")


def test_a_flood_is_refused_and_forgotten(world: World) -> None:
    """V13: two hundred at once: each is answered, nothing unjudged reaches an app, and then all is as it was."""
    world.mark()
    statuses: Counter[int] = Counter()
    data = _request(world, "GET", ALLOWED[2])

    def client() -> None:
        for _ in range(3):
            statuses[http1.ask(world.mesh.ports["edge"], data, 30).status] += 1

    threads = [threading.Thread(target=client, daemon=True) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 429, 503}, statuses
    assert world.reached().total() <= statuses[200] + statuses[503]
    assert set(world.reached()) <= {ALLOWED[2]}


def test_a_body_over_the_limit(world: World) -> None:
    """V14: 413 by the edge and by the sidecar itself, and the app hears nothing."""
    world.mark()
    body = json.dumps({"lines": [{"item": ITEM, "quantity": 1}], "padding": "x" * (2 * MIB)})
    for name in ("edge", "orders"):
        answer = world.ask(
            "/orders/v1/orders", "POST", name, content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413, answer
        assert answer.headers["content-type"] == PROBLEM
    assert not world.reached()


def _order(world: World, quantity: int) -> bytes:
    return _request(world, "POST", "/orders/v1/orders", json.dumps({"lines": [{"item": ITEM, "quantity": quantity}]}))


def _request(world: World, method: str, target: str, body: str = "") -> bytes:
    sized = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer {world.mesh.token()}\r\n{sized}\r\n"
    )
    return (head + body).encode()
