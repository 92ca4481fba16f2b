"""K: what one client sends never changes what another one is given, and what a service breaks off is never kept."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.waiting import PATIENCE_S


@dataclass
class Origin:
    """A service that answers with the number of the request, and in the way that `x-way` asks for."""

    socket: socket.socket
    seen: list[str] = field(default_factory=list)

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (some := connection.recv(65536)):
                    return
                head += some
            text = head.decode("latin-1")
            self.seen.append(text)
            host = next(line[6:] for line in text.split("\r\n") if line.lower().startswith("host: "))
            body = f"{len(self.seen)} {text.split(' ', 2)[1]} {host}".encode()
            way = next((line[7:] for line in text.split("\r\n") if line.lower().startswith("x-way: ")), "")
            self._write(connection, way, body)

    def _write(self, connection: socket.socket, way: str, body: bytes) -> None:
        def head(*lines: str, status: str = "200 OK") -> bytes:
            return "\r\n".join([f"HTTP/1.1 {status}", *lines, "connection: close", "", ""]).encode()

        match way:
            case "abort":
                connection.sendall(head("content-length: 4096") + body)
            case "chunked-abort":
                connection.sendall(head("transfer-encoding: chunked") + b"%x\r\n%s\r\n" % (len(body), body))
            case "chunked-large":
                connection.sendall(head("transfer-encoding: chunked"))
                for _ in range(40):
                    connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            case "slow":
                connection.sendall(head(f"content-length: {len(body)}"))
                for each in body:
                    connection.sendall(bytes([each]))
                    time.sleep(0.2)
            case "partial":
                lines = f"content-length: {len(body)}", f"content-range: bytes 0-{len(body) - 1}/9999"
                connection.sendall(head(*lines, status="206 Partial Content") + body)
            case "missing" | "failed":
                status = "404 Not Found" if way == "missing" else "500 Internal Server Error"
                connection.sendall(
                    head(f"content-length: {len(body)}", "cache-control: max-age=60", status=status) + body
                )
            case "cookie":
                connection.sendall(head(f"content-length: {len(body)}", "set-cookie: session=1") + body)
            case _:
                connection.sendall(head(f"content-length: {len(body)}") + body)


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    listening = socket.create_server(("127.0.0.1", 0))
    running = Origin(listening)
    threading.Thread(target=running.run, daemon=True).start()
    yield running
    listening.close()


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Hop]:
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    own = {"cache": {"ttl": "10m", "shared": True, "vary": ["accept-language"]}, "timeout": "3s", "undeclared": "pass"}
    paths = {
        "/item/{id}": {"parameters": parameters, "get": operation(x_sidegate=own), "post": operation()},
        "/secret": {"get": operation(security=[{"bearer": []}], x_sidegate={"cache": {"ttl": "10m"}})},
    }
    port = origin.socket.getsockname()[1]
    settings = {"services": {"svc": {"upstream": f"http://127.0.0.1:{port}"}}, "cache": {"maxEntry": "64KiB"}}
    with serve(tmp_path_factory.mktemp("caching"), contract(paths), settings=settings) as running:
        yield running


def send(hop: Hop, text: str) -> tuple[int, bytes]:
    """Status and body for the bytes of one connection; status 0 if none came."""
    with socket.create_connection(("127.0.0.1", hop.gateway.port), PATIENCE_S) as connection:
        connection.sendall(text.encode("latin-1"))
        whole = b""
        with suppress(OSError):
            while some := connection.recv(65536):
                whole += some
    time.sleep(0.15)
    head, _, body = whole.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]) if head else 0, body


def get(path: str, *lines: str, method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: gateway.test", *lines, "connection: close", "", ""])


@pytest.mark.parametrize(
    "line",
    [
        "x-forwarded-host: evil.test",
        "x-original-url: /item/evil",
        "x-rewrite-url: /item/evil",
        "x-forwarded-proto: https",
        "x-forwarded-port: 4444",
        "forwarded: host=evil.test",
        "x-http-method-override: POST",
        "x-sidegate-held-path: /item/evil",
        "x-sidegate-held-asked: 1",
        "x-sidegate-held-authorization: evil",
        "cache-control: no-store",
        "pragma: no-cache",
        "range: bytes=0-1",
        "x-user: evil",
    ],
)
def test_k01_what_is_not_in_the_key_changes_nothing(hop: Hop, origin: Origin, line: str) -> None:
    path = f"/item/k01-{abs(hash(line))}"
    status, _ = send(hop, get(path, line))
    assert status in (200, 206)
    assert not any("evil" in seen.split("\r\n")[0] for seen in origin.seen)
    assert send(hop, get(path))[1].endswith(f"{path} gateway.test".encode())


@pytest.mark.parametrize(
    ("poisoned", "clean"),
    [
        ("/item/q?utm=1%3Cscript%3E", "/item/q"),
        ("/item/q?limit=1;limit=2", "/item/q?limit=1"),
        ("/item/q?a=1%26b=2", "/item/q?a=1&b=2"),
        ("/item/q?&~/accept-language=de", "/item/q?"),
        ("/item/q?~/accept-language", "/item/q"),
        ("/item/q%3Fa=1", "/item/q?a=1"),
        ("/item/Q2", "/item/q2"),
        ("/item/%71%33", "/item/q4"),
    ],
)
def test_k02_k08_other_paths_are_other_answers(hop: Hop, poisoned: str, clean: str) -> None:
    """Two requests share an answer only if the service is asked for the same."""
    send(hop, get(poisoned))
    assert send(hop, get(clean))[1].split(b" ")[1] == clean.encode()


@pytest.mark.parametrize("variant", ["/item//k08", "/./item/k08", "/item/x/../k08", "//item/k08"])
def test_k08_variants_of_one_path_are_one_answer_or_none(hop: Hop, variant: str) -> None:
    _, own = send(hop, get("/item/k08"))
    status, found = send(hop, get(variant))
    assert status in (400, 404) or found == own
    assert send(hop, get("/item/k08"))[1] == own


@pytest.mark.parametrize(
    "way", ["abort", "chunked-abort", "chunked-large", "slow", "partial", "missing", "failed", "cookie"]
)
def test_k04_k07_k10_nothing_but_whole_answers_is_kept(hop: Hop, way: str) -> None:
    path = f"/item/{way}"
    send(hop, get(path, f"x-way: {way}"))
    status, body = send(hop, get(path))
    assert (status, body.endswith(f"{path} gateway.test".encode())) == (200, True)


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "PUT"])
def test_k07_other_methods_leave_nothing(hop: Hop, origin: Origin, method: str) -> None:
    path = f"/item/method-{method}"
    send(hop, get(path, *(["content-length: 0"] if method in ("POST", "PUT") else []), method=method))
    before = len(origin.seen)
    assert send(hop, get(path))[0] == 200
    assert len(origin.seen) == before + 1


def test_k05_languages_are_kept_apart_however_they_are_written(hop: Hop) -> None:
    bodies = {
        lines: send(hop, get("/item/k05", *lines))[1]
        for lines in [
            (),
            ("accept-language: de",),
            ("accept-language: de,en",),
            ("accept-language: ",),
            ("accept-language: de/x",),
            ("accept-language: \xe4",),
        ]
    }
    assert len(set(bodies.values())) == len(bodies)
    for lines, body in bodies.items():
        assert send(hop, get("/item/k05", *lines))[1] == body
    assert (
        send(hop, get("/item/k05", "accept-language: de", "accept-language: en"))[1] != bodies["accept-language: de",]
    )


def test_nothing_of_anybodys_without_a_token(hop: Hop) -> None:
    token = f"authorization: Bearer {hop.issuer.token()}"
    status, own = send(hop, get("/secret", token))
    assert status == 200
    assert send(hop, get("/secret", token))[1] == own
    for lines in ((), ("x-sidegate-identity: sub:bearer:alice",), ("authorization: Bearer uncached",)):
        status, body = send(hop, get("/secret", *lines))
        assert status == 401
        assert own not in body


def test_many_at_once_are_given_one_answer(hop: Hop, origin: Origin) -> None:
    """A stampede on an answer that is not there yet: none of them fails, and the service is asked a few times at most."""
    before, found = len(origin.seen), []
    threads = [threading.Thread(target=lambda: found.append(send(hop, get("/item/herd")))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in found] == [200] * 40
    assert len(origin.seen) - before <= 8
