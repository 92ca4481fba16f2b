"""A real Envoy on static resources, with an upstream and a companion that keep what they got."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.envoy.models import profile
from tests.waiting import PATIENCE_S
from xds.control.access import read
from xds.envoy import Profile, lower
from xds.envoy.bootstrap import layered_runtime
from xds.envoy.validate import binary, static
from xds.model import Gateway
from xds.up.ports import free_port


@dataclass
class Seen:
    """A request as a server got it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name), None)


@dataclass
class Answer:
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    delay: float = 0


class Server:
    """An HTTP/1.1 server that answers what `answer` says and keeps every request."""

    def __init__(self, answer: Callable[[Seen], Answer] | None = None) -> None:
        self.seen: list[Seen] = []
        self.answer = answer or (lambda seen: Answer(body=b"ok"))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def _any(self) -> None:
                seen = Seen(self.command, self.path, list(self.headers.items()), _body(self))
                outer.seen.append(seen)
                answer = outer.answer(seen)
                time.sleep(answer.delay)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _any

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port: int = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("transfer-encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("content-length") or 0))
    out = bytearray()
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        out += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return bytes(out)


@dataclass
class Got:
    """What the client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        assert self.headers.get("content-type") == "application/problem+json", self
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.problem["code"])


@dataclass
class Proxy:
    """A running Envoy."""

    port: int
    pid: int
    upstream: Server
    companion: Server
    log: Path

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Got:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Got(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def raw(self, data: bytes, timeout: float = PATIENCE_S) -> bytes:
        """What comes back for bytes sent as they are, until the other side closes or says nothing for a while."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as client:
            client.sendall(data)
            out = b""
            client.settimeout(0.5)
            try:
                while chunk := client.recv(65536):
                    out += chunk
            except TimeoutError:
                pass
            return out

    def lines(self) -> list[dict[str, Any]]:
        """The access log so far."""
        return [read(line) for line in self.log.read_text().splitlines()]


@contextmanager
def proxy(
    make: Callable[[int], Gateway],
    folder: Path,
    *,
    companion: Callable[[Seen], Answer] | None = None,
    upstream: Callable[[Seen], Answer] | None = None,
    **facts: Any,
) -> Iterator[Proxy]:
    """Start everything: `make` gets the upstream's port and gives the gateway."""
    asked, served = Server(companion), Server(upstream)
    log = folder / "access.log"
    log.touch()
    facts.setdefault("access_log", str(log))
    data_plane: Profile = profile(free_port(), asked.port, **facts)
    config = {**static(lower(make(served.port), data_plane)), "layered_runtime": layered_runtime()}
    path = folder / "envoy.json"
    path.write_text(json.dumps(config))
    command = [
        str(binary()), "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning",
        "--disable-hot-restart", "--file-flush-interval-msec", "50", "--file-flush-min-size-kb", "1",
    ]  # fmt: skip
    with (folder / "envoy.err").open("w") as err:
        process = subprocess.Popen(command, stdout=err, stderr=err)
    try:
        _wait(data_plane.listen[1], process, folder / "envoy.err")
        yield Proxy(data_plane.listen[1], process.pid, served, asked, log)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        asked.stop()
        served.stop()


def _wait(port: int, process: subprocess.Popen[bytes], err: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"Envoy ended: {err.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"Envoy does not listen: {err.read_text()}")
