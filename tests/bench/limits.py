"""1,000 requests at once -> how many of them a limit of 100 lets through: in the proxy, and in the shared store."""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from pathlib import Path

from tests.bench.load import request
from tests.bench.row import Row, bound_row, skipped
from tests.ratelimit_server import RateLimitServer, Valkey, find_ratelimit, find_valkey
from tests.waiting import until
from xds.up.ports import free_port

GROUP = "Limits under 1,000 parallel requests (a limit of 100)"
LIMIT, PARALLEL = 100, 1_000
TOLERANCE = 1
"""A bucket of 100 an hour gains less than one while the burst lasts; the store's periods gain nothing within one."""


def burst(port: int, text: bytes, parallel: int = PARALLEL) -> Counter[int]:
    """Send as many requests at once, each on a connection of its own; the answers' statuses (0: none came)."""
    poll, waiting, found = select.epoll(), {}, Counter[int]()
    for _ in range(parallel):
        connection = socket.create_connection(("127.0.0.1", port), 10)
        waiting[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
    for connection in waiting.values():
        connection.sendall(text)
    end = time.monotonic() + 30
    while waiting and time.monotonic() < end:
        for number, _ in poll.poll(1):
            connection = waiting.pop(number)
            head = connection.recv(65536)
            found[int(head.split(b" ", 2)[1]) if head else 0] += 1
            poll.unregister(number)
            connection.close()
    for connection in waiting.values():
        found[0] += 1
        connection.close()
    poll.close()
    return found


def measure(folder: Path) -> list[Row]:
    """One gateway, one burst a store."""
    from tests.features.hop import contract, operation, serve
    from tests.features.test_shared_limits import ads_of

    limit = {"name": "burst", "by": ["address"], "limit": LIMIT}
    paths = {
        "/local": {"get": operation(x_sidegate={"rateLimits": [{**limit, "per": "hour"}]})},
        "/shared": {"get": operation(x_sidegate={"rateLimits": [{**limit, "per": "day", "store": "shared"}]})},
    }
    binary, port = find_ratelimit(), free_port()
    without = next((found for found in (find_valkey(), binary) if isinstance(found, str)), None)
    settings = {"rateLimit": {"service": f"127.0.0.1:{port}", "onFailure": "closed", "timeout": "5s"}}
    with serve(folder, contract(paths), settings=settings) as hop:
        rows = [_row("local", burst(hop.gateway.port, request("/local")))]
        if without is not None or isinstance(binary, str):
            return [*rows, skipped(GROUP, str(without))]
        valkey = Valkey(folder)
        try:
            service = RateLimitServer(binary, valkey, folder, port, ads_of(hop))
            try:
                until(lambda: "burst" in service.configuration())
                rows.append(_row("shared", burst(hop.gateway.port, request("/shared"))))
            finally:
                service.stop()
        finally:
            valkey.stop()
    return rows


def _row(store: str, found: Counter[int]) -> Row:
    passed, refused = found[200], found[429]
    name = f"{store}: {passed} admitted, {refused} refused, {PARALLEL - passed - refused} otherwise; off by"
    return bound_row(GROUP, name, abs(passed - LIMIT) + (PARALLEL - passed - refused), "requests", TOLERANCE)
