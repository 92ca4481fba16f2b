"""Upstream: a TCP server that keeps the raw bytes of every request it got and answers JSON by path.

Raw sockets, because a test that asks what the gateway forwarded must not read it through another HTTP parser's opinion.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

KEPT = 1 << 20  # bodies above 1 MiB are kept as length and digest only

TREASURE = b"hidden treasure"
TREASURE_PATH = "/v1/internal/treasure"


@dataclass(frozen=True)
class Entry:
    """One request as it arrived: `head` is raw, up to and with the blank line; `wire` the raw bytes of the body."""

    head: bytes
    wire: bytes
    body: bytes
    length: int
    sha256: str
    at: float
    complete: bool = True

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1] if self.line.count(" ") else ""

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(n.lower(), v.strip()) for n, c, v in (line.partition(":") for line in lines) if c]

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.headers if n == name]

    def header(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


@dataclass(frozen=True)
class Answer:
    """What the upstream says: `chunks` are written one after another with `pause` seconds before each."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    chunks: tuple[bytes, ...] = (b"{}",)
    pause: float = 0.0

    def wire(self, method: str) -> Iterator[bytes]:
        """The answer's bytes, head first; no body for HEAD."""
        body = b"".join(self.chunks)
        lines = [f"HTTP/1.1 {self.status} X", *(f"{n}: {v}" for n, v in self.headers), f"content-length: {len(body)}"]
        yield "\r\n".join([*lines, "", ""]).encode("latin-1")
        yield from () if method == "HEAD" else self.chunks


Route = Callable[[Entry], Answer]


def as_json(value: object, status: int = 200) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, chunks=(json.dumps(value).encode(),))


def routes(entry: Entry) -> Answer:
    """The reference upstream: whatever is asked, something is answered, so that what gets through can be seen."""
    if "treasure" in entry.path:
        return Answer(headers=(("content-type", "text/plain"),), chunks=(TREASURE,))
    match entry.path.rsplit("/", 1)[-1]:
        case "big":
            return Answer(chunks=tuple([b"x" * 65536] * 160))
        case "slow":
            return Answer(chunks=(b"{}",), pause=3.0)
        case "zipped":
            headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
            return Answer(headers=headers, chunks=(gzip.compress(b'{"ok": true}'),))
        case "html":
            return Answer(headers=(("content-type", "text/html"),), chunks=(b"<script>alert(1)</script>",))
    return as_json({"method": entry.method, "target": entry.target})


class Journal(socketserver.ThreadingTCPServer):
    """The server and what it wrote down. Use as a context manager; `port` is free and on loopback."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, answer: Route = routes) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.answer = answer
        self.log = _Log()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def mark(self) -> int:
        """A position in the log, for `since`."""
        return len(self.log.entries)

    def since(self, mark: int = 0) -> list[Entry]:
        """Requests since `mark`, without Envoy's own health checks."""
        entries = self.log.entries[mark:]
        return [e for e in entries if not (e.header("user-agent") or "").startswith("Envoy/HC")]

    def __enter__(self) -> Journal:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Connections that break are what many tests are about; nothing is printed."""


@dataclass
class _Log:
    entries: list[Entry] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, entry: Entry) -> None:
        with self.lock:
            self.entries.append(entry)


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        server = cast(Journal, self.server)
        while head := self._head():
            entry = self._entry(head)
            server.log.add(entry)
            if not entry.complete:
                return
            answer = server.answer(entry)
            time.sleep(answer.pause)
            for piece in answer.wire(entry.method):
                self.request.sendall(piece)
            if (entry.header("connection") or "").lower() == "close":
                return

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline(1 << 20)
            if not line:
                return head
            head += line
        return head

    def _entry(self, head: bytes) -> Entry:
        bare = Entry(head, b"", b"", 0, "", time.monotonic())
        if "100-continue" in (bare.header("expect") or "").lower():
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        kept, digest, length, complete = bytearray(), hashlib.sha256(), 0, True
        wire = bytearray()
        try:
            for raw, data in self._body(bare):
                digest.update(data)
                length += len(data)
                if length <= KEPT:
                    wire += raw
                    kept += data
        except (OSError, ValueError):
            complete = False
        return Entry(head, bytes(wire), bytes(kept), length, digest.hexdigest(), bare.at, complete)

    def _body(self, entry: Entry) -> Iterator[tuple[bytes, bytes]]:
        if "chunked" in (entry.header("transfer-encoding") or "").lower():
            yield from self._chunks()
            return
        left = int(entry.header("content-length") or 0)
        while left:
            data = self.rfile.read1(min(left, 65536))
            if not data:
                raise ValueError("body ended early")
            left -= len(data)
            yield data, data

    def _chunks(self) -> Iterator[tuple[bytes, bytes]]:
        while True:
            line = self.rfile.readline(65536)
            size = int(line.split(b";")[0], 16)
            data = self.rfile.read(size + 2)
            if len(data) < size + 2:
                raise ValueError("chunk ended early")
            yield line + data, data[:-2]
            if size == 0:
                return
