"""`cache`: whatever the contract lets a service answer by tells kept answers apart, shared ones as well."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from werkzeug import Request, Response

from tests.e2e.tokens import ISSUER
from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cache import kept, number
from xds.keyfile import add

_count = itertools.count(1)
SHARED = {"ttl": "60s", "shared": True}


def _numbered(request: Request) -> Response:
    said = {name.lower(): value for name, value in request.headers.items()}
    answer = Response(json.dumps({"n": next(_count), "headers": said}), 200, content_type="application/json")
    if "x-vary" in request.headers:
        answer.headers["vary"] = request.headers["x-vary"]
    return answer


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("apart")
    keys |= {name: add(folder / "apps.yaml", name) for name in ("ada", "bob")}
    text = {"schema": {"type": "string"}}
    tenant = [{"name": "X-Org", "in": "header", "required": True, **text}]
    several = [{"name": name, "in": "header", **text} for name in ("Accept-Encoding", "If-None-Match", "Range")]
    signs = [{"name": name, "in": "header", **text} for name in ("X-It's", "X-50%", "%", "X-A|B", "X-.*")]
    theme = [{"name": "theme", "in": "cookie", **text}]
    consumer = {"request": {"set": {"x-c": "${consumer}"}}}
    app, bearer, passed = (list[Any]([{name: []}]) for name in ("app", "bearer", "passed"))
    paths = {
        "/tenant": {"get": operation(parameters=tenant, x_sidegate={"cache": SHARED})},
        "/signs": {"get": operation(parameters=signs, x_sidegate={"cache": SHARED})},
        "/theme": {"get": operation(parameters=theme, x_sidegate={"cache": SHARED})},
        "/several": {"get": operation(parameters=several, x_sidegate={"cache": SHARED})},
        "/consumer": {"get": operation(security=app, x_sidegate={"cache": SHARED, "headers": consumer})},
        "/key": {"get": operation(security=app, x_sidegate={"cache": SHARED})},
        "/mine": {"get": operation(security=bearer, x_sidegate={"cache": {"ttl": "60s"}})},
        "/ours": {"get": operation(security=bearer, x_sidegate={"cache": SHARED})},
        "/passed": {"get": operation(security=passed, x_sidegate={"cache": {"ttl": "60s"}})},
    }
    schemes: dict[str, Any] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "passed": {"type": "http", "scheme": "bearer"},
        "app": {"type": "apiKey", "in": "header", "name": "x-app"},
    }
    security = {
        "app": {"keys": {"file": "keys/apps.yaml"}},
        "bearer": {"headers": {"x-tenant": "tenant"}},
        "passed": {"issuer": ISSUER, "audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}, "forward": True},
    }  # fmt: skip
    document = contract(paths, components={"securitySchemes": schemes})
    files = {"keys/apps.yaml": (folder / "apps.yaml").read_text()}
    with serve(folder, document, settings={"security": security}, files=files, answer=_numbered) as running:
        yield running


def _get(hop: Hop, path: str, headers: dict[str, str]) -> httpx.Response:
    """An answer; what it stored is there a moment later."""
    answer = hop.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    time.sleep(0.1)
    return answer


def _apart(hop: Hop, path: str, *requests: dict[str, str]) -> None:
    """Each request is given an answer of its own, and that one again."""
    first = [number(kept(hop, path, each)) for each in requests]
    assert len(set(first)) == len(first)
    assert [_get(hop, path, each).json()["n"] for each in requests] == first


def _token(hop: Hop, **claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {hop.issuer.token(sub='ada', **claims)}"}


def test_a_declared_header_tells_apart(hop: Hop) -> None:
    _apart(hop, "/tenant", {"x-org": "a"}, {"x-org": "b"})
    assert _get(hop, "/tenant", {"x-org": "a"}).headers["vary"].lower() == "x-org"
    assert hop.client.get("/tenant").status_code == 400


def test_a_service_may_say_that_it_answers_by_a_declared_header(hop: Hop) -> None:
    said = {"x-org": "c", "x-vary": "X-Org"}
    assert kept(hop, "/tenant", said).json() == _get(hop, "/tenant", said).json()


def test_names_with_signs_are_names_and_nothing_else(hop: Hop) -> None:
    _apart(hop, "/signs", {"x-it's": "a"}, {"x-it's": "b"}, {"x-50%": "a"}, {"%": "a"}, {"x-a|b": "a"}, {"x-.*": "a"})
    said = {"x-it's": "c", "x-vary": "X-It's, %, X-50%, X-A|B, X-.*"}
    assert kept(hop, "/signs", said).json() == _get(hop, "/signs", said).json()
    assert _get(hop, "/signs", {"x-it's": "c2"}).headers["vary"].lower() == "%, x-.*, x-50%, x-a|b, x-it's"
    for other in ("x-other", "x-a", "b"):
        asked = {"x-it's": f"of {other}", "x-vary": other}
        assert _get(hop, "/signs", asked).json() != _get(hop, "/signs", asked).json()


def test_a_declared_cookie_tells_apart(hop: Hop) -> None:
    _apart(hop, "/theme", {"cookie": "theme=dark"}, {"cookie": "theme=light"}, {})
    assert _get(hop, "/theme", {}).headers["vary"].lower() == "cookie"


def test_what_the_cache_itself_reads_is_no_part_of_the_key(hop: Hop) -> None:
    whole = number(kept(hop, "/several", {"accept-encoding": "identity"}))
    assert _get(hop, "/several", {"accept-encoding": "gzip"}).json()["n"] == whole
    assert hop.client.get("/several", headers={"range": "bytes=0-3"}).status_code == 206


def test_a_consumer_that_the_service_is_told_of_tells_apart(hop: Hop, keys: dict[str, str]) -> None:
    _apart(hop, "/consumer", {"x-app": keys["ada"]}, {"x-app": keys["bob"]})
    assert len({number(kept(hop, "/key", {"x-app": key})) for key in keys.values()}) == 1


@pytest.mark.parametrize("path", ["/mine", "/ours"])
def test_a_claim_that_the_service_is_told_of_tells_apart(hop: Hop, path: str) -> None:
    """Two tokens of one subject."""
    one, other = _token(hop, tenant="one"), _token(hop, tenant="other")
    _apart(hop, path, one, other)
    assert _get(hop, path, one).json()["headers"]["x-tenant"] == "one"
    again = _token(hop, tenant="one", jti="again")
    assert _get(hop, path, again).json()["n"] == _get(hop, path, one).json()["n"]


def test_a_token_that_the_service_reads_tells_apart_by_its_claims(hop: Hop) -> None:
    _apart(hop, "/passed", _token(hop, tenant="one"), _token(hop, tenant="other"))


def test_no_secret_is_kept_on_disk(hop: Hop) -> None:
    token = _token(hop, tenant="secret")
    _apart(hop, "/passed", token)
    _apart(hop, "/theme", {"cookie": "theme=dark; session=TOPSECRET"})
    files = [file.read_bytes() for file in (hop.folder / ".sidegate/cache").iterdir() if file.is_file()]
    head = [file.partition(b'{"n"')[0] for file in files]
    assert head
    payload = token["authorization"].split(".")[1].encode()
    assert not [each for each in head if b"TOPSECRET" in each or payload in each]
