"""API keys: in a header, a query parameter or a cookie, alone and together with tokens, by OpenAPI's AND and OR."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.features.hop import Hop, contract, operation, serve
from xds.keyfile import add

EVERYBODY = {"policy": "none", "reason": "a test"}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "api_key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "key"},
}
PATHS = {
    "/header": [{"header": []}],
    "/query": [{"query": []}],
    "/cookie": [{"cookie": []}],
    "/both": [{"bearer": [], "header": []}],
    "/either": [{"bearer": ["pets:read"]}, {"header": []}],
    "/optional": [{"header": []}, {}],
}


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("keys")
    keys["mobile"] = add(folder / "made.yaml", "mobile")
    file = {"keys": {"file": "keys/consumers.yaml"}}
    settings: dict[str, Any] = {"security": dict.fromkeys(("header", "query", "cookie"), file)}
    paths = {path: {"get": operation(security=security)} for path, security in PATHS.items()}
    document = contract(paths, components={"securitySchemes": SCHEMES})
    files = {"keys/consumers.yaml": (folder / "made.yaml").read_text()}
    with serve(folder, document, settings=settings, files=files) as running:
        yield running


def test_a_key_in_a_header(hop: Hop, keys: dict[str, str]) -> None:
    since = len(hop.server.log)
    answer = hop.client.get("/header", headers={"x-api-key": keys["mobile"]})
    assert answer.status_code == 200, answer.text
    (request,) = hop.reached(since)
    assert request.headers["x-sidegate-consumer"] == "mobile"
    assert "x-api-key" not in request.headers


@pytest.mark.parametrize(("sent", "code"), [(None, "credentials-missing"), ("wrong", "credentials-invalid")])
def test_without_the_right_key_it_is_401(hop: Hop, sent: str | None, code: str) -> None:
    since = len(hop.server.log)
    answer = hop.client.get("/header", headers={"x-api-key": sent} if sent else {})
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == 'ApiKey realm="gateway", in="header", name="x-api-key"'
    assert not hop.reached(since)
