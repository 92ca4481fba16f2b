"""Bytes -> answers, over one HTTP/1 connection, with nothing between the test and the socket."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.waiting import PATIENCE_S

LIMIT = 1 << 24  # bytes of an answer that are kept


@dataclass(frozen=True)
class Answer:
    """One complete answer. Header names are lower case, in order; `body` is without its chunked framing."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n == name), None)

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.headers if n == name]

    @property
    def problem(self) -> dict[str, Any]:
        """The body as a JSON object, or {}."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str | None:
        return self.problem.get("code")

    @property
    def codes(self) -> list[str]:
        return [e.get("code") for e in self.problem.get("errors", []) if isinstance(e, dict)]

    @property
    def pointers(self) -> list[str]:
        return [e.get("pointer") for e in self.problem.get("errors", []) if isinstance(e, dict)]


@dataclass(frozen=True)
class Exchange:
    """What one connection came to: what was sent, the answers, and how it ended.

    `end` is `open` (still usable), `closed` (the peer's FIN), `reset`, or `silent` (nothing complete within the limit).
    """

    sent: bytes
    answers: tuple[Answer, ...]
    end: str
    seconds: float
    rest: bytes = b""

    @property
    def status(self) -> int:
        """The first answer's status; 0 if there was none."""
        return self.answers[0].status if self.answers else 0

    @property
    def answer(self) -> Answer:
        assert self.answers, f"no answer came; the connection ended {self.end}, bytes {self.rest[:200]!r}"
        return self.answers[0]


@dataclass
class Connection:
    """One TCP connection. `methods` are those of the requests still unanswered (a HEAD's answer has no body)."""

    port: int
    timeout: float = PATIENCE_S
    sent: bytearray = field(default_factory=bytearray)
    data: bytearray = field(default_factory=bytearray)
    end: str = "open"

    def __post_init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = time.monotonic()

    def send(self, data: bytes) -> bool:
        """Send all; whether the peer took it. A peer that hung up may still have an answer waiting to be read."""
        self.sent += data if len(self.sent) < LIMIT else b""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def drip(self, pieces: Iterable[bytes], pause: float) -> None:
        """Send pieces one after another, `pause` seconds apart, until an answer or the end of the connection comes."""
        for piece in pieces:
            if not self.send(piece) or self._receive(pause):
                return

    def read(self, count: int = 1, methods: tuple[str, ...] = ("GET",)) -> Exchange:
        """Read `count` answers, or what comes before the connection ends or the time is up."""
        answers: list[Answer] = []
        deadline = time.monotonic() + self.timeout
        while len(answers) < count:
            method = methods[min(len(answers), len(methods) - 1)]
            answer = _take(self.data, method, self.end != "open")
            if answer is not None:
                answers += [answer] if answer.status >= 200 or answer.status == 101 else []
            elif self.end != "open":
                break
            elif not self._receive(deadline - time.monotonic()) and time.monotonic() >= deadline:
                self.end = "silent"
        return self.exchange(answers)

    def exchange(self, answers: Iterable[Answer] = ()) -> Exchange:
        seconds = time.monotonic() - self.began
        return Exchange(bytes(self.sent), tuple(answers), self.end, seconds, bytes(self.data))

    def wait_closed(self, timeout: float) -> str:
        """Read until the peer closes or `timeout` is over; how the connection stands then."""
        deadline = time.monotonic() + timeout
        while self.end == "open" and (left := deadline - time.monotonic()) > 0:
            self._receive(left)
        return self.end

    def _receive(self, timeout: float) -> bool:
        """Wait for bytes or the end; whether either came."""
        self.socket.settimeout(max(timeout, 0.001))
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            return False
        except OSError:
            self.end = "reset"
            return True
        self.data += data
        if not data:
            self.end = "closed"
        return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _take(data: bytearray, method: str, ended: bool) -> Answer | None:
    """Take one complete answer off the front of `data`, or None if it is not all there yet."""
    head, blank, body = bytes(data).partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"HTTP/1."):
        return None
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    headers = tuple((n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines[1:]))
    found = _body(dict(headers), body, method, status, ended)
    if found is None:
        return None
    content, used = found
    raw = bytes(data[: len(head) + 4 + used])
    del data[: len(raw)]
    return Answer(status, headers, content, raw)


def _body(headers: dict[str, str], rest: bytes, method: str, status: int, ended: bool) -> tuple[bytes, int] | None:
    """(content, bytes used), or None if more must come. RFC 9112, section 6.3."""
    if method == "HEAD" or status < 200 or status in (204, 304):
        return b"", 0
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return (rest[:length], length) if len(rest) >= length else None
    return (rest, len(rest)) if ended else None


def _chunks(rest: bytes) -> tuple[bytes, int] | None:
    at, content = 0, bytearray()
    while (eol := rest.find(b"\r\n", at)) >= 0:
        size = int(rest[at:eol].split(b";")[0], 16)
        stop = eol + 2 + size
        if len(rest) < stop + 2:
            return None
        content += rest[eol + 2 : stop]
        at = stop + 2
        if size == 0:
            return bytes(content), at
    return None


def ask(
    port: int, data: bytes, timeout: float = PATIENCE_S, count: int = 1, methods: tuple[str, ...] = ("GET",)
) -> Exchange:
    """Send `data` on a new connection and read `count` answers."""
    with Connection(port, timeout) as connection:
        connection.send(data)
        return connection.read(count, methods)
