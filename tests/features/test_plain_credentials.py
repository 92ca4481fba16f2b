"""Credentials and scopes of plain requests: judged in the proxy alone, with the companion stopped as with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.blackbox.http2 import Connection, request
from tests.features.hop import Hop, contract, operation, serve
from tests.waiting import PATIENCE_S, until
from xds.control.access import read
from xds.keyfile import add

TOKEN, KEY = {"bearer": ["read"]}, {"key": []}
SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "/token": [{"bearer": []}],
    "/scope": [TOKEN],
    "/key": [KEY],
    "/both": [{**TOKEN, **KEY}],
    "/either": [TOKEN, KEY],
    "/maybe": [TOKEN, {}],
}
ANSWERS = {
    # what is brought: the status on each path, in their order
    "": (401, 401, 401, 401, 401, 200),
    "read": (200, 200, 401, 401, 200, 200),
    "write": (200, 403, 401, 401, 403, 200),
    "key": (401, 401, 200, 401, 200, 200),
    "read key": (200, 200, 200, 200, 200, 200),
    "write key": (200, 403, 200, 403, 200, 200),
    "wrong": (401, 401, 401, 401, 401, 401),
}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A consumer's key, and the file that holds its hash."""
    file = tmp_path_factory.mktemp("keys") / "consumers.yaml"
    return add(file, "mobile"), file.read_text()


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, key: tuple[str, str]) -> Iterator[Hop]:
    own = {"policy": "none", "reason": "native"}
    paths = {path: {"get": operation(security=asked, x_sidegate=own)} for path, asked in SECURITY.items()}
    paths["/chosen"] = {
        "get": operation(operationId="strict", security=[TOKEN], x_sidegate=own),
    }
    paths["/open"] = {"get": operation(security=[TOKEN], x_sidegate={**own, "undeclared": "pass"})}
    document = contract(paths)
    tenant = {**own, "match": {"headers": {"x-tenant": "beta"}}}
    chosen = contract({"/chosen": {"get": operation(operationId="public", x_sidegate=tenant)}})
    document["components"]["securitySchemes"]["key"] = {"type": "apiKey", "in": "header", "name": "x-api-key"}
    settings = {
        "security": {"key": {"keys": {"file": "keys/consumers.yaml"}}, "bearer": {"headers": {"x-tenant": "tenant"}}}
    }
    files = {"keys/consumers.yaml": key[1]}
    with serve(
        tmp_path_factory.mktemp("plain"), {"v1": document, "v2": chosen}, settings=settings, files=files
    ) as running:
        yield running


@pytest.fixture(params=["with a companion", "without"])
def either(request: pytest.FixtureRequest, hop: Hop) -> Iterator[Hop]:
    if request.param == "without":
        hop.gateway.kill("companion", signal.SIGSTOP)
    try:
        yield hop
    finally:
        hop.gateway.kill("companion", signal.SIGCONT)


def _brought(hop: Hop, key: str, words: str) -> dict[str, str]:
    brought: dict[str, str] = {}
    for word in words.split():
        match word:
            case "key":
                brought["x-api-key"] = key
            case "wrong":
                brought["authorization"] = "Bearer no.such.token"
            case scope:
                brought["authorization"] = f"Bearer {hop.issuer.token(scope=scope)}"
    return brought


@pytest.mark.parametrize("words", ANSWERS)
def test_nobody_else_is_needed(either: Hop, key: tuple[str, str], words: str) -> None:
    brought = _brought(either, key[0], words)
    for path, status in zip(SECURITY, ANSWERS[words], strict=True):
        answer = either.client.get(path, headers=brought)
        assert answer.status_code == status, path
        if status == 403:
            said: dict[str, Any] = answer.json()
            assert (said["code"], "read" in answer.headers["www-authenticate"]) == ("insufficient-scope", True)
        assert _by_http_2(either, path, brought) == status, path


def _by_http_2(hop: Hop, path: str, brought: dict[str, str]) -> int:
    with Connection(hop.gateway.port, timeout=PATIENCE_S) as connection:
        connection.headers(1, request(path, None, "GET", *brought.items()), end=True)
        return connection.answer(1).status or 0


def test_what_breaks_the_contract_is_told_that_first(hop: Hop, key: tuple[str, str]) -> None:
    brought = _brought(hop, key[0], "write")
    assert hop.client.get("/scope?x=1", headers=brought).status_code == 400
    assert hop.client.get("/open?x=1", headers=brought).status_code == 403
    assert hop.client.get("/open", headers=brought).status_code == 403
    assert hop.client.get("/open?x=1", headers=_brought(hop, key[0], "read")).status_code == 200


def test_a_body_of_http_2_is_no_way_around_a_scope(hop: Hop, key: tuple[str, str]) -> None:
    brought, since = _brought(hop, key[0], "write"), len(hop.server.log)
    for body in (b"", b"x"):
        with Connection(hop.gateway.port, timeout=PATIENCE_S) as connection:
            connection.headers(1, request("/scope", None, "GET", *brought.items()), end=False)
            connection.data(1, body, end=True)
            assert connection.answer(1).status in (400, 403)
    assert hop.reached(since) == []


def test_the_word_of_the_program_is_not_the_clients(hop: Hop) -> None:
    for word in ("pass", "lack read"):
        assert hop.client.get("/scope", headers={"x-sidegate-auth": word}).status_code == 401


@pytest.mark.parametrize("operation", ["public", "strict"])
def test_filters_that_write_headers_choose_no_other_operation(hop: Hop, operation: str) -> None:
    """The header that `match` reads is one that a claim writes, and that is taken off what a client sent."""
    brought: dict[str, str] = {}
    if operation == "public":
        brought["x-tenant"] = "beta"
    else:
        brought["authorization"] = f"Bearer {hop.issuer.token(scope='read', tenant='beta')}"
    assert _by_http_2(hop, "/chosen", brought) == 200
    log = hop.folder / ".sidegate" / "access.log"

    def lines() -> list[dict[str, Any]]:
        return [line for line in map(read, log.read_text().splitlines()) if line["path"] == "/chosen"]

    until(lambda: any(line["operation"] == operation for line in lines()), lambda: str(lines()))
    assert {line["operation"] for line in lines()} <= {"public", "strict"}
