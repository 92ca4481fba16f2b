"""A saved file -> milliseconds until the first request that is judged by it."""

from __future__ import annotations

import os
import socket
import statistics
import time
from pathlib import Path

from tests.bench import projects
from tests.bench.hop import Hop
from tests.bench.load import request
from tests.bench.row import Row, bound_row
from tests.e2e.gateway import Gateway

GROUP = "From saving a file to the first request judged by it"
OPERATIONS, SAVES = 1000, 60
GOAL_MS = 250.0
LIMIT = "maximum: 100"


def measure(folder: Path) -> list[Row]:
    """Saves in turn a contract, whose limit on a parameter moves, and a policy; asks every few milliseconds."""
    with Hop(folder) as hop:
        project = projects.write(folder / "saving", projects.generated(OPERATIONS), upstream=hop.upstream)
        with Gateway(project, patience=60) as gateway:
            contract = project / "contracts" / "svc" / "v1.yaml"
            contracts = [_contract(gateway, contract, number) for number in range(SAVES)]
            policies = [_policy(gateway, project / "policies" / "svc" / "authz.rego", n) for n in range(SAVES // 3)]
    return [
        *_rows(f"contract of {OPERATIONS:,} operations, one changed", contracts, GOAL_MS),
        *_rows("policy", policies, GOAL_MS),
    ]


def _rows(name: str, seconds: list[float], goal: float) -> list[Row]:
    times = sorted(1000 * s for s in seconds)
    last = times[min(len(times) - 1, int(len(times) * 0.99))]
    return [
        bound_row(GROUP, f"{name}: median of {len(times)} saves", statistics.median(times), "ms"),
        bound_row(GROUP, f"{name}: p99 of {len(times)} saves", last, "ms", goal),
    ]


def _contract(gateway: Gateway, file: Path, number: int) -> float:
    """Move the largest limit of one operation of many from 100 to 50 or back, and ask for 75."""
    at = number * 17 % (OPERATIONS // 5)
    text = file.read_text()
    # The limit of the operation with that number; all the others keep theirs.
    start = text.index("maximum: ", text.index(f"operationId: list{at}\n"))
    end = text.index("\n", start)
    refusing = text[start:end] == LIMIT
    changed = f"{text[:start]}{'maximum: 50' if refusing else LIMIT}{text[end:]}"
    return _until(gateway, file, changed, f"/v1/things{at:04}?limit=75", 400 if refusing else 200)


def _policy(gateway: Gateway, file: Path, number: int) -> float:
    return _until(gateway, file, POLICY_TEXT.format(number % 50 + 10), f"/v1/things0001?limit={number % 50 + 10}", 403)


POLICY_TEXT = """package svc.authz

default allow := false

allow if input.parsed_query.limit != ["{}"]
"""


def _until(gateway: Gateway, file: Path, text: str, target: str, status: int) -> float:
    """Save as editors do, whole, and ask until the answer is `status`. Seconds; the last question's own time is in it."""
    asked = request(target)
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _status(connection, asked) == status:
            raise RuntimeError(f"{target} answers {status} before the change")
        scratch = file.with_name(f".{file.name}.new")
        scratch.write_text(text)
        start = time.perf_counter()
        os.replace(scratch, file)
        while _status(connection, asked) != status:
            if time.perf_counter() - start > 10:
                raise RuntimeError(f"{target} does not answer {status} after 10 s")
            time.sleep(0.003)
        took = time.perf_counter() - start
    time.sleep(0.15)  # a save is not part of the one before
    return took


def _status(connection: socket.socket, asked: bytes) -> int:
    connection.sendall(asked)
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    head = data[:end].lower()
    at = head.index(b"content-length:") + 15
    size = int(head[at:].split(b"\r\n", 1)[0])
    while len(data) < end + 4 + size:
        data += _more(connection)
    return int(data[9:12])


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise RuntimeError("the connection ended")
    return data
