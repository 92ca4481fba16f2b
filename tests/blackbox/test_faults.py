"""V: the companion stopped, killed, restarted, flooded. Whatever becomes of it, nothing unjudged passes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.blackbox import http1
from tests.blackbox.case import PUBLIC, post, request
from tests.blackbox.http1 import Exchange
from tests.blackbox.load import Load
from tests.blackbox.start import world as start
from tests.blackbox.world import World
from tests.e2e import processes
from tests.waiting import until

GOOD = request("/v1/items?limit=10")
ITEM = post({"name": "a", "price": 1})


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway of this module's own, since its parts are killed."""
    with start(tmp_path_factory.mktemp("faults")) as world:
        yield world


@pytest.fixture(autouse=True)
def _recovered(own: World) -> Iterator[None]:
    """Every case begins and ends with a gateway that works; nothing ever failed open."""
    recovers(own)
    yield
    recovers(own)
    assert not any(world_failures(own).values()), "O8"


def world_failures(world: World) -> dict[str, int]:
    return world.failures()


def recovers(world: World) -> float:
    """Seconds until the good request passes again."""
    return until(lambda: world.good().status == 200, lambda: world.gateway.output[-2000:])


def refused(exchange: Exchange, statuses: tuple[int, ...] = (503, 504)) -> None:
    assert exchange.status in statuses, exchange
    answer = exchange.answer
    assert (answer.header("content-type") or "").startswith("application/problem+json"), answer.raw
    assert answer.code, answer.raw


def test_v02_a_companion_that_never_answers(own: World) -> None:
    mark = own.journal.mark()
    pid = own.gateway.kill("companion", signal.SIGSTOP)
    try:
        for data in (GOOD, ITEM, request("/v1/me", token="mallory")):
            exchange = own.ask(data)
            refused(exchange)
        assert own.ask(request("/v1/internal/treasure")).status == 404, "what needs no companion is answered as ever"
        assert own.journal.since(mark) == []
    finally:
        os.kill(pid, signal.SIGCONT)
    recovers(own)
    assert not [e for e in own.journal.since(mark) if e.method == "POST"], "a request that was refused went on later"


def test_v01_a_companion_that_is_gone(own: World) -> None:
    mark = own.journal.mark()
    pid = own.gateway.kill("companion")
    seen = set()

    def back() -> bool:
        exchange = own.ask(request("/v1/me", token="mallory"))
        seen.add(exchange.status)
        assert exchange.status in (403, 503), exchange
        return 503 in seen and exchange.status == 403

    until(back, lambda: f"killing {pid} was never noticed: {seen}")
    assert own.journal.since(mark) == []
    print(f"back after {recovers(own):.2f} s")


def test_v05_sigterm_while_requests_are_open(own: World) -> None:
    """200 requests with half their bodies sent; then SIGTERM. Each is decided or refused, none is forwarded unjudged."""
    mark, good, bad = own.journal.mark(), own.fill(ITEM), own.fill(post({"name": "a", "price": -1}))
    connections = [http1.Connection(own.port) for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.send((bad if number % 2 else good)[:-5])
    own.gateway.kill("companion", signal.SIGTERM)
    for number, connection in enumerate(connections):
        connection.send((bad if number % 2 else good)[-5:])
    exchanges = [connection.read() for connection in connections]
    for connection in connections:
        connection.close()
    statuses = [e.status for e in exchanges]
    assert set(statuses) <= {200, 400, 503}, set(statuses)
    assert not [s for s in statuses[1::2] if s == 200], "a bad body passed"
    posted = [e for e in own.journal.since(mark) if e.method == "POST"]
    assert len(posted) == statuses.count(200)
    assert all(b"-1" not in e.body for e in posted)
    recovers(own)


def test_v07_policy_workers_die_under_load(own: World) -> None:
    """Workers that evaluate policies are killed one after another: a request may be refused, none is decided wrongly."""
    with Load(own, clients=3, rate=90) as load:
        for _ in range(4):
            companion = own.gateway.roles()["companion"]
            workers = [p for p in processes.tree(companion.pid) if p.pid != companion.pid]
            for worker in workers[:1]:
                os.kill(worker.pid, signal.SIGKILL)
            time.sleep(0.5)
    opened = {ask: count for ask, count in load.wrong.items() if ask[1] == 200}
    assert not opened, f"let through: {opened}"
    assert {status for _, status in load.wrong} <= {403, 500, 503}, load.wrong
    assert not load.unexpected_upstream()


def test_v17_a_hung_collector_costs_no_latency(own: World) -> None:
    """The middle request takes no longer when nobody takes the spans."""

    def middle() -> float:
        return sorted(own.good().seconds for _ in range(80))[40]

    before = middle()
    own.collector.stall()
    try:
        time.sleep(1)
        during = min(middle() for _ in range(3))
    finally:
        own.collector.stall(False)
    print(f"{before:.4f} s, then {during:.4f} s")
    assert during < 1, "an export waits 10 s for the collector"


@pytest.mark.slow
def test_v13_a_flood_is_refused_and_forgotten(own: World) -> None:
    """300 clients at once, many times what is decided here in the time: 503s, and then it is as before."""
    statuses: list[int] = []
    stop = threading.Event()

    def client() -> None:
        data = own.fill(GOOD)
        while not stop.is_set():
            try:
                statuses.append(http1.ask(own.port, data).status)
            except OSError:
                statuses.append(-1)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(300)]
    for thread in threads:
        thread.start()
    time.sleep(5)
    stop.set()
    for thread in threads:
        thread.join()
    told = {status: statuses.count(status) for status in set(statuses)}
    print(told)
    assert set(statuses) <= {200, 429, 503}, told
    recovers(own)


def test_v02_endless_policies_in_every_worker(own: World) -> None:
    """More endless decisions than workers: all of them refused, and the next good request passes."""
    data = own.fill(request("/zed/slow", token=PUBLIC))
    connections = [http1.Connection(own.port) for _ in range(6)]
    for connection in connections:
        connection.send(data)
    statuses = {connection.read().status for connection in connections}
    for connection in connections:
        connection.close()
    assert statuses <= {403, 503}, statuses
