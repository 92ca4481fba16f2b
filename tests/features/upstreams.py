"""Upstreams that a test starts by the number: each says which it is, can be told to fail, and remembers whom it answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from xds.up.ports import free_port


@dataclass
class Upstream:
    """`status` is what it answers; `seen` are method, target and headers (names in small letters) of what came.

    While `answering` is not set it takes requests and answers none.
    """

    name: str
    port: int = 0
    status: int = 200
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self.answering.set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> Upstream:
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def _handler(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            upstream.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            upstream.answering.wait()
            body = json.dumps({"upstream": upstream.name}).encode()
            self.send_response(upstream.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def upstreams(*names: str) -> Iterator[tuple[Upstream, ...]]:
    """Running upstreams on free ports."""
    started = tuple(Upstream(name).start() for name in names)
    try:
        yield started
    finally:
        for each in started:
            each.stop()


def dead() -> str:
    """An address where nobody listens."""
    return f"127.0.0.1:{free_port()}"
