"""The curl line of a failure: a shell that runs it sends the very request, and the line holds no credential."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pytest_sidegate.failure.curl import Secrets, curl
from sidecar.message import Request

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass
class Listener:
    """Takes one request after the other, and keeps them as they came."""

    url: str
    received: list[bytes] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Listener(f"http://127.0.0.1:{server.getsockname()[1]}")

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    found.received.append(whole(connection))
                    connection.sendall(ANSWER)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield found
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def whole(connection: socket.socket) -> bytes:
    """One request, by its Content-Length."""
    connection.settimeout(30)
    data = b""
    while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while sizes and len(body) < sizes[0] and (more := connection.recv(65536)):
        body += more
    return head + b"\r\n\r\n" + body


REQUESTS = {
    "plain": Request("GET", "/things/7", "full=true", (("accept", "application/json"),)),
    "quotes": Request(
        "POST", "/a'b", "x=%27;rm", (("x-a", "it's $HOME `id`"), ("content-type", "text/x")), b"'\"$(id)`"
    ),
    "globs": Request("GET", "/[1-3]/{a,b}", "a[b]=c", ()),
    "dots": Request("GET", "/a/../b/./c", None, ()),
    "at": Request("PUT", "/x", None, (("content-type", "text/plain"),), b"@/etc/passwd"),
    "empty header": Request("GET", "/", None, (("x-empty", ""),)),
    "no type": Request("POST", "/x", None, (), b"{}"),
    "bytes": Request("POST", "/x", None, (("content-type", "application/octet-stream"),), bytes(range(256))),
    "escapes": Request("POST", "/x", None, (("content-type", "text/plain"),), b"\x1b[2J\r\n"),
    "lines": Request("PATCH", "/x", None, (("content-type", "text/plain"),), b"a\nb\n\nc\n"),
    "head": Request("HEAD", "/x", None, ()),
    "empty query": Request("GET", "/x", "", ()),
}


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
@pytest.mark.parametrize("name", REQUESTS)
def test_a_shell_sends_the_same(name: str, listener: Listener) -> None:
    request = REQUESTS[name]
    line = curl(request, listener.url)
    assert line.isprintable() or "\n" in line
    subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, timeout=60, env={"PATH": "/usr/bin:/bin"})
    head, _, body = listener.received[0].partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    target = request.path + (f"?{request.query}" if request.query is not None else "")
    assert first == f"{request.method} {target} HTTP/1.1"
    assert body == request.body
    sent = dict(header.split(":", 1) for header in lines)
    headers = {header.lower(): value.strip() for header, value in sent.items()}
    assert {k: headers.get(k) for k, _ in request.headers} == dict(request.headers)
    if request.header("content-type") is None:
        assert "content-type" not in headers


def test_credentials_are_variables() -> None:
    """Wherever a contract says that one is carried, and where HTTP always has them."""
    secrets = Secrets(Secrets().headers | {"x-key"}, frozenset({"api key"}))
    headers = (("authorization", "Bearer s3cret"), ("x-key", "s3cret"), ("cookie", "session=s3cret"))
    line = curl(Request("GET", "/x", "a=1&api+key=s3cret&b=2", headers), secrets=secrets)
    assert "s3cret" not in line
    for part in ('Bearer \'"$TOKEN"', "'x-key: '\"$API_KEY\"", "'cookie: '\"$COOKIE\"", 'api+key=\'"$API_KEY"'):
        assert part in line
    assert "&b=2" in line
    assert '$CREDENTIALS"' in curl(Request("GET", "/", None, (("authorization", "Basic czNjcmV0"),)))
    assert "czNjcmV0" not in curl(Request("GET", "/", None, (("authorization", "Basic czNjcmV0"),)))
    assert "s3cret" not in curl(Request("GET", "/", None, (("authorization", "s3cret"),)))
