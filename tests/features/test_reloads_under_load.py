"""A hundred changes of contract, limits, keys, policy and routing under load: nothing is dropped, nothing wrongly admitted.

A quota that no limit had before begins all local counts of its slot anew (ARCHITECTURE.md), so here limits come and go with
one quota, and a day's that is spent stays spent.
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.hop import Hop as Bare
from tests.bench.load import request
from tests.e2e.gateway import Gateway
from tests.e2e.tokens import Issuer
from tests.waiting import until
from xds.keyfile import add

RELOADS, REQUESTS, CLIENTS = 100, 100_000, 8
POLICY = """\
package svc.authz

default allow := false

allow if input.sidegate.claims.sub == "alice"  # %d
"""
NATIVE = {"policy": "none", "reason": "judged by the proxy alone", "undeclared": "pass"}


def _contract(turn: int) -> dict[str, Any]:
    """The contract of one turn: what changes is in the proxy's routes, filters and in the companion's schemas."""
    limit = {"name": f"turn{turn}", "by": ["client"], "limit": 1_000_000, "per": "second"}
    closed = {"name": "closed", "by": [], "limit": 1, "per": "day"}
    paths: dict[str, Any] = {
        "/open": {**NATIVE, "timeout": f"{5 + turn % 9}s", "cors": {"origins": [f"https://app{turn}.example.com"]}},
        "/token": {**NATIVE, "rateLimits": [limit], "retries": {"attempts": 1 + turn % 3, "on": ["connect-failure"]}},
        "/key": {**NATIVE, "headers": {"response": {"set": {"x-turn": str(turn)}}}},
        "/cached": {**NATIVE, "cache": {"ttl": f"{60 + turn}s", "shared": True}},
        "/judged": {},
        "/spent": {**NATIVE, "rateLimits": [closed]},
    }
    tokens: list[dict[str, list[str]]] = [{"bearer": []}] if turn % 2 else [{"bearer": []}, {"key": []}]
    security = {"/token": tokens, "/key": [{"key": []}], "/judged": [{"bearer": []}]}
    document: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "svc", "version": "1"}, "paths": {}}
    for path, extension in paths.items():
        operation: dict[str, Any] = {"responses": {"200": {"description": "ok"}}, "security": security.get(path, [])}
        operation |= {"x-sidegate": extension} if extension else {}
        document["paths"][path] = {"get": {**operation, "operationId": path.strip("/")}}
    schema = {"type": "integer", "minimum": 1, "maximum": 100 + turn}
    document["paths"]["/judged"]["get"]["parameters"] = [{"name": "limit", "in": "query", "schema": schema}]
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    return {**document, "components": {"securitySchemes": schemes}}


@dataclass
class Load:
    """Clients on keep-alive connections, each going round the same questions; `wrong` counts every other answer."""

    port: int
    asks: list[tuple[bytes, int]]
    right: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number: int) -> None:
        connection: socket.socket | None = None
        for text, expected in itertools.islice(itertools.cycle(self.asks), number, None):
            if self._stop.is_set():
                break
            try:
                connection = connection or socket.create_connection(("127.0.0.1", self.port), 10)
                connection.sendall(text)
                status, goes_on = _answer(connection)
            except OSError as error:
                status, goes_on = type(error).__name__, False
            if not goes_on and connection is not None:
                connection.close()
                connection = None
            with self._lock:
                if status == str(expected):
                    self.right += 1
                else:
                    self.wrong[f"{text.split(b' ')[1].decode()} {status} instead of {expected}"] += 1


def _answer(connection: socket.socket) -> tuple[str, bool]:
    """One answer's status, and whether the connection stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return "closed", False
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length is None:
        return "an answer without a length", False
    while len(body) < int(length[1]):
        chunk = connection.recv(65536)
        if not chunk:
            return "cut off", False
        body += chunk
    return head.split(b" ", 2)[1].decode(), b"connection: close" not in head.lower()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Bare]:
    with Bare(tmp_path) as hop:
        yield hop


@pytest.mark.slow
def test_a_hundred_reloads_under_load(tmp_path: Path, bare: Bare) -> None:
    issuer, root = Issuer(), tmp_path / "svc"
    key = add(tmp_path / "consumers.yaml", "mobile")
    _write(root, 0, bare.upstream, issuer, (tmp_path / "consumers.yaml").read_text())
    alice, bob = (f"authorization: Bearer {issuer.token(sub=who)}" for who in ("alice", "bob"))
    asks = [
        (request("/open"), 200),
        (request("/token", alice), 200),
        (request("/token", "authorization: Bearer forged"), 401),
        (request("/token"), 401),
        (request("/key", f"x-api-key: {key}"), 200),
        (request("/key", "x-api-key: guessed"), 401),
        (request("/cached"), 200),
        (request("/judged?limit=5", alice), 200),
        (request("/judged?limit=5", bob), 403),
        (request("/judged?limit=5000", alice), 400),
        (request("/spent"), 429),
        (request("/nothing"), 404),
        (request("/open", method="DELETE"), 405),
    ]
    with Gateway(root) as gateway:
        assert _status(gateway.port, request("/spent", "connection: close")) == "200"  # all there is for today
        _load(root, gateway, asks, key)


def _load(root: Path, gateway: Gateway, asks: list[tuple[bytes, int]], key: str) -> None:
    with Load(gateway.port, asks) as load:
        for turn in range(1, RELOADS + 1):
            _change(root, turn)
            until(lambda turn=turn: _live(gateway.port, key, turn))
        until(lambda: load.right + sum(load.wrong.values()) >= REQUESTS, seconds=600)
    print(f"{load.right:,} requests as expected over {RELOADS} reloads")
    assert not load.wrong
    assert load.right >= REQUESTS


def _status(port: int, text: bytes) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(text)
        return _answer(connection)[0]


def _live(port: int, key: str, turn: int) -> bool:
    """Whether the routes of a turn are in force, as their answers say."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request("/key", f"x-api-key: {key}", "connection: close"))
        return f"x-turn: {turn}\r\n".encode() in connection.recv(65536)


def _write(root: Path, turn: int, upstream: int, issuer: Issuer, consumers: str) -> None:
    bearer = {"issuer": issuer.name, "audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}}
    settings = {
        "publish": {"breaking": "allow"},
        "services": {"svc": {"upstream": f"http://127.0.0.1:{upstream}"}},
        "security": {"bearer": bearer, "key": {"keys": {"file": "keys/consumers.yaml"}}},
    }
    files = {
        "contracts/svc/v1.yaml": yaml.safe_dump(_contract(turn)),
        "policies/svc/authz.rego": POLICY % turn,
        "sidegate.yaml": yaml.safe_dump(settings),
        "keys/jwks.json": issuer.jwks(),
        "keys/consumers.yaml": consumers,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _change(root: Path, turn: int) -> None:
    """The next turn's contract; every third turn another policy, every tenth one more consumer."""
    if turn % 3 == 0:
        _replace(root / "policies/svc/authz.rego", lambda _: POLICY % turn)
    if turn % 10 == 0:
        add(root / "keys/consumers.yaml", f"consumer{turn}")
    _replace(root / "contracts/svc/v1.yaml", lambda _: yaml.safe_dump(_contract(turn)))


def _replace(path: Path, change: Callable[[str], str]) -> None:
    scratch = path.with_name(path.name + ".new~")
    scratch.write_text(change(path.read_text()))
    scratch.replace(path)
    time.sleep(0.01)
