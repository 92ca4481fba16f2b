"""Requests -> CPU seconds of the servers that answered them."""

from __future__ import annotations

import select
import socket
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from tests.e2e import processes

CONNECTIONS = 16
Pids = Callable[[], Iterable[int]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, what they are (whole, as bytes) and whose CPU is counted. `roles` maps a name to processes."""

    name: str
    port: int
    requests: Sequence[bytes]
    roles: Mapping[str, Pids]


def request(target: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """One HTTP/1.1 request."""
    lines = [f"{method} {target} HTTP/1.1", "host: api.example.com", "user-agent: bench", "accept: */*", *headers]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def cpu(pid: int) -> float:
    """CPU seconds of all threads of a process, ended ones apart; to the nanosecond where the kernel says it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, IndexError, ValueError):
        found = processes.read(pid)
        return found.cpu if found else 0.0


def rounds(targets: Sequence[Target], count: int, times: int) -> dict[str, dict[str, list[float]]]:
    """Send `count` requests to each target in turn, `times` times over: target -> role -> µs of CPU a request, a round each."""
    found: dict[str, dict[str, list[float]]] = {t.name: {role: [] for role in t.roles} for t in targets}
    texts = {target.name: cycle(target.requests) for target in targets}
    for target in targets:
        drive(target, texts[target.name], max(200, count // 4))
    for _ in range(times):
        for target in targets:
            before = {role: sum(map(cpu, pids())) for role, pids in target.roles.items()}
            drive(target, texts[target.name], count)
            for role, pids in target.roles.items():
                found[target.name][role].append((sum(map(cpu, pids())) - before[role]) * 1e6 / count)
    return found


def noise(samples: Sequence[float]) -> float:
    """How far the middle half of the samples is spread, as a share of their median."""
    low, _, high = statistics.quantiles(samples, n=4)
    return (high - low) / statistics.median(samples)


def drive(target: Target, texts: Iterator[bytes], count: int, connections: int = CONNECTIONS) -> None:
    """Send `count` requests over so many connections, one at a time on each. Raises on any answer but 200."""
    poll = select.epoll()
    sockets = {}
    try:
        for _ in range(connections):
            connection = socket.create_connection(("127.0.0.1", target.port), 10)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets[connection.fileno()] = connection
            poll.register(connection, select.EPOLLIN)
        sent = 0
        for connection in sockets.values():
            connection.sendall(next(texts))
            sent += 1
        buffers = dict.fromkeys(sockets, b"")
        done = 0
        while done < count:
            ready = poll.poll(10)
            if not ready:
                raise RuntimeError(f"{target.name}: no answer in 10 s")
            for fd, _ in ready:
                data = buffers[fd] + sockets[fd].recv(65536)
                if not _whole(target.name, data):
                    buffers[fd] = data
                    continue
                buffers[fd] = b""
                done += 1
                if sent < count:
                    sockets[fd].sendall(next(texts))
                    sent += 1
    finally:
        poll.close()
        for connection in sockets.values():
            connection.close()


def _whole(name: str, data: bytes) -> bool:
    """Whether an answer is all there. Raises if it is not a 200, or the connection ended."""
    if data and not data.startswith(b"HTTP/1.1 200 "[: len(data)]):
        raise RuntimeError(f"{name}: {data[:400].decode('latin-1')}")
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if not data:
            raise RuntimeError(f"{name}: the connection ended")
        return False
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise RuntimeError(f"{name}: an answer without a length")
    return len(data) >= end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])
