"""F: slow and numerous clients. Shortened: each says how much of the case's time or number it takes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import hyperframe.frame as frames
import pytest

from tests.blackbox import http1, http2
from tests.blackbox.case import post
from tests.blackbox.load import Load
from tests.blackbox.world import Snapshot, World
from tests.e2e import processes
from tests.waiting import until

pytestmark = pytest.mark.slow

HEADERS_TIMEOUT_S = 10
MIB = 1 << 20


@pytest.fixture(autouse=True)
def _unharmed(world: World) -> Iterator[None]:
    """O3, O4, O8 after each: same processes, memory bounded, idle again, nothing failed open."""
    pids, before = world.look().pids(), _held(world)
    yield
    assert world.good().status == 200, "O3"
    assert world.look().pids() == pids, "O3"

    def grown() -> dict[str, int]:
        return {role: held - before[role] for role, held in _held(world).items() if held - before[role] >= 64 * MIB}

    until(lambda: not grown(), lambda: f"O4: held beyond what was before: {grown()}", 60)
    assert not any(world.failures().values()), "O8"
    until(lambda: not _busy(world), lambda: f"O4: still busy: {_busy(world)}", 60)


def _held(world: World) -> dict[str, int]:
    """Bytes by role; of Envoy those in use, since its allocator gives freed ones back when it likes."""
    held = {role: process.rss for role, process in world.look().roles.items()}
    return held | {"envoy": int(json.loads(world.admin.get("/memory"))["allocated"])}


def _busy(world: World) -> dict[str, float]:
    """Roles that use most of a core, and how much of half a second."""
    used = {role: process.cpu for role, process in world.look().roles.items()}
    time.sleep(0.5)
    return {r: p.cpu - used[r] for r, p in world.look().roles.items() if p.cpu - used[r] > 0.3}


def test_f07_slow_headers_on_500_connections(world: World) -> None:
    """One byte a second on each of 500 connections: all closed at the headers' timeout, and others are served meanwhile."""
    head = b"GET /v1/items?limit=10 HTTP/1.1\r\nHost: gateway.test\r\nX-Slow: " + b"s" * 64
    connections = [http1.Connection(world.port) for _ in range(500)]
    began = time.monotonic()
    with Load(world, clients=2, rate=60) as load:
        for index in range(HEADERS_TIMEOUT_S + 3):
            for connection in connections:
                connection.send(head[index : index + 1])
            time.sleep(max(0.0, began + index + 1 - time.monotonic()))
        end = time.monotonic() + 3 * HEADERS_TIMEOUT_S
        ends = [connection.wait_closed(max(0.01, end - time.monotonic())) for connection in connections]
    for connection in connections:
        connection.close()
    assert "open" not in ends, f"{ends.count('open')} of 500 are still open after {time.monotonic() - began:.1f} s"
    assert not load.wrong, dict(load.wrong)
    assert not load.unexpected_upstream()
    print(f"others' p99 {load.percentile(0.99):.4f} s")


def test_f08_a_slow_body(world: World) -> None:
    """One byte a second of a body that is buffered: nothing goes on before it is whole. 15 s of the request's 60."""
    mark, data = world.journal.mark(), world.fill(post({"name": "a", "price": 1}))
    before = processes.read(world.gateway.roles()["companion"].pid)
    with http1.Connection(world.port) as connection:
        connection.send(data[:-20])
        connection.drip((data[-20 + n :][:1] for n in range(15)), 1.0)
        assert [e for e in world.journal.since(mark) if e.method == "POST"] == []
        after = processes.read(world.gateway.roles()["companion"].pid)
        assert before is not None
        assert after is not None
        assert after.cpu - before.cpu < 1.0, "the companion works on a request that is not there yet"
    time.sleep(0.2)
    assert [e for e in world.journal.since(mark) if e.method == "POST"] == []


def test_f14_rapid_reset(world: World) -> None:
    """20,000 HEADERS with a reset each, as fast as they are taken: the connection ends, another client is not harmed."""
    token = world.tokens["reader"]
    block = http2.literal(http2.request("/v1/items?limit=10", token))
    sent = 0
    with Load(world, clients=2, rate=40) as load, http2.Connection(world.port) as connection:
        for number in range(1, 40_001, 2):
            pair = frames.HeadersFrame(number, data=block, flags=["END_HEADERS", "END_STREAM"]).serialize()
            if not connection.raw(pair + frames.RstStreamFrame(number, error_code=8).serialize()):
                break
            sent += 1
            if sent % 500 == 0:
                connection.until(lambda: connection.goaway is not None, 0.02)
        ended = connection.until(lambda: connection.goaway is not None or connection.closed)
        time.sleep(1)
    print(f"ended after {sent} resets, goaway {connection.goaway}; others' p99 {load.percentile(0.99):.4f} s")
    assert ended or connection.closed, f"still open after {sent} resets"
    assert not [k for k in load.wrong if k[1] == 200], dict(load.wrong)
    assert not load.unexpected_upstream()
    assert sum(load.wrong.values()) <= 0.02 * max(1, load.right), dict(load.wrong)


def test_f16_header_bombs_on_one_connection_after_another(world: World) -> None:
    """10 s of the case's 30: small frames that decode to large headers, again and again."""
    before = world.look().roles["envoy"].rss
    first = b"\x40" + http2._text("cookie") + http2._text(b"c" * 3_900)
    peak, bombs, end = before, 0, time.monotonic() + 10
    while time.monotonic() < end:
        with http2.Connection(world.port) as connection:
            for number in range(1, 61, 2):
                fields = http2.literal(http2.request("/v1/items"))
                connection.headers(number, [], block=fields + (first if number == 1 else b"\xbe") + b"\xbe" * 4_000)
            connection.until(
                lambda: connection.closed or connection.goaway is not None or connection.stream(59).done, 2
            )
            assert {s.status for s in connection.streams.values() if s.status} <= {400, 431}
        bombs += 30
        peak = max(peak, world.look().roles["envoy"].rss)
    print(f"{bombs} bombs, envoy grew by {(peak - before) // MIB} MiB at most")
    assert peak - before < 64 * MIB


def test_b22_10000_clients_that_leave(world: World) -> None:
    """10,000 requests abandoned in the middle, by eight clients: no task, descriptor or memory is left behind."""
    data = world.fill(post({"name": "a", "price": 1}))
    before, mark = world.look(), world.journal.mark()

    def leave(count: int) -> None:
        for number in range(count):
            with http1.Connection(world.port) as connection:
                connection.send(data[: len(data) - 1 - number % 40])
            time.sleep(0.005)

    threads = [threading.Thread(target=leave, args=(1_250,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e for e in world.journal.since(mark) if e.method == "POST"] == []
    until(lambda: not _kept(world, before), lambda: f"descriptors are kept: {_kept(world, before)}", 60)


def _kept(world: World, before: Snapshot) -> dict[str, int]:
    """Descriptors beyond those of before and a pool's worth of connections."""
    grown = {role: process.fds - before.roles[role].fds for role, process in world.look().roles.items()}
    return {role: count for role, count in grown.items() if count > 64}
