"""Listeners come, change and go while the gateway runs; what does not change keeps its connections."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.features.pki import authority
from tests.features.test_tls import _files, _offered, ask, asked, shake
from tests.waiting import PATIENCE_S, until
from xds.up.ports import free_port

A, B = "a.example.com", "b.example.com"


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    files = _files(a=authority().issue(A), b=authority().issue(B))
    with serve(tmp_path_factory.mktemp("listeners"), contract({"/open": {"get": operation()}}), files=files) as running:
        yield running


def say(hop: Hop, *listeners: dict[str, object]) -> None:
    path = hop.folder / "sidegate.yaml"
    settings = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**settings, "listeners": list(listeners)} if listeners else
                                   {k: v for k, v in settings.items() if k != "listeners"}))  # fmt: skip


def plain(port: int) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/open", trust_env=False, timeout=PATIENCE_S).status_code
    except httpx.HTTPError:
        return 0


def secure(port: int, name: str) -> int:
    try:
        return ask(port, name).status
    except (OSError, ssl.SSLError):
        return 0


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_listeners_come_change_and_go(hop: Hop) -> None:
    one, two, other = free_port(), free_port(), free_port()
    first = {"name": "one", "address": f"127.0.0.1:{one}"}
    edge = {"name": "edge", "address": f"127.0.0.1:{two}", "tls": {"certificates": _offered("a")}}
    assert plain(hop.gateway.port) == 200, "where --listen says, as long as there are none"
    say(hop, first, edge)
    until(lambda: plain(one) == 200 and secure(two, A) == 200, lambda: "the new ones serve")
    until(lambda: not listening(hop.gateway.port), lambda: "the one of --listen is gone")
    assert secure(two, B) == 0

    with closing(shake(two, A)) as old, httpx.Client(base_url=f"http://127.0.0.1:{one}", trust_env=False) as kept:
        kept.get("/open")
        say(hop, first, {**edge, "tls": {"certificates": _offered("a", "b")}})
        until(lambda: secure(two, B) == 200, lambda: "the second certificate")
        answer = asked(old, "/open", A)
        assert (answer.status, answer.getheader("connection")) == (200, None), "its chain is as it was: nothing drains"

    say(hop, {**first, "address": f"127.0.0.1:{other}"}, edge)
    until(lambda: plain(other) == 200, lambda: "another address")
    until(lambda: not listening(one), lambda: "not the old one")

    say(hop, edge)
    until(lambda: not listening(other), lambda: "one listener less")
    assert secure(two, A) == 200
    assert hop.gateway.manage("/ready").status == 200

    say(hop)
    until(lambda: plain(hop.gateway.port) == 200 and not listening(two), lambda: "as at first")


def test_what_up_prints_first(hop: Hop) -> None:
    assert f"the gateway listens on http://127.0.0.1:{hop.gateway.port}" in hop.gateway.output
