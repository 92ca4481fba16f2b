"""`cache` with several credentials at once, and with several operations of one path: nobody is given another one's answer."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cache import kept, number
from xds.keyfile import add

_count = itertools.count(1)
OWN = {"ttl": "60s"}
SHARED = {"ttl": "60s", "shared": True}


def _numbered(request: Request) -> Response:
    return Response(json.dumps({"n": next(_count)}), 200, content_type="application/json")


def _kept(security: list[Any], **more: Any) -> dict[str, Any]:
    return {"get": operation(security=security, x_sidegate={"cache": OWN, **more})}


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("identities")
    keys |= {f"app-{name}": add(folder / "apps.yaml", name) for name in ("mobile", "ada")}
    keys |= {f"user-{name}": add(folder / "users.yaml", name) for name in ("ada", "bob")}
    schemes: dict[str, Any] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "app": {"type": "apiKey", "in": "header", "name": "x-app"},
        "user": {"type": "apiKey", "in": "header", "name": "x-user"},
    }
    paths = {
        "/token-and-key": _kept([{"bearer": [], "app": []}]),
        "/key-or-token": _kept([{"app": []}, {"bearer": []}]),
        "/two-keys": _kept([{"app": [], "user": []}]),
        "/either-key": _kept([{"app": []}, {"user": []}]),
        "/passed": _kept([{"app": []}], authorization="pass"),
        "/open": _kept([]),
        "/chosen": {"get": operation(x_sidegate={"cache": SHARED})},
    }
    beta = {"cache": SHARED, "match": {"headers": {"x-beta": "1"}}}
    chosen = {"/chosen": {"get": operation(security=[{"bearer": []}], x_sidegate=beta)}}
    versions = {
        name: contract(each, components={"securitySchemes": schemes}) for name, each in (("v1", paths), ("v2", chosen))
    }
    security = {"app": {"keys": {"file": "keys/apps.yaml"}}, "user": {"keys": {"file": "keys/users.yaml"}}}
    files = {f"keys/{name}": (folder / name).read_text() for name in ("apps.yaml", "users.yaml")}
    with serve(folder, versions, settings={"security": security}, files=files, answer=_numbered) as running:
        yield running


def _answer(hop: Hop, path: str, headers: dict[str, str]) -> int:
    """The number of the answer; what it stored is there a moment later."""
    answer = hop.client.get(path, headers=headers)
    time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    found = answer.json()["n"]
    assert isinstance(found, int)
    return found


def _apart(hop: Hop, path: str, *requests: dict[str, str]) -> None:
    """Each request is given an answer of its own, and that one again."""
    first = [number(kept(hop, path, each)) for each in requests]
    assert len(set(first)) == len(first)
    assert [_answer(hop, path, each) for each in requests] == first


def _token(hop: Hop, sub: str) -> dict[str, str]:
    return {"authorization": f"Bearer {hop.issuer.token(sub=sub)}"}


def test_users_of_one_application_are_not_one(hop: Hop, keys: dict[str, str]) -> None:
    app = {"x-app": keys["app-mobile"]}
    _apart(hop, "/token-and-key", {**app, **_token(hop, "ada")}, {**app, **_token(hop, "bob")})


def test_keys_of_two_consumers_are_nobodys(hop: Hop, keys: dict[str, str]) -> None:
    """Whose would the kept answer be?"""
    one, other = keys["app-ada"], keys["app-mobile"]
    user = {"x-user": keys["user-ada"]}
    first = number(kept(hop, "/two-keys", {"x-app": one, **user}))
    assert hop.client.get("/two-keys", headers={"x-app": other, **user}).status_code == 401
    assert _answer(hop, "/two-keys", {"x-app": one, **user}) == first


def test_a_credential_that_was_not_needed_tells_apart_too(hop: Hop, keys: dict[str, str]) -> None:
    app = {"x-app": keys["app-mobile"]}
    _apart(hop, "/key-or-token", app, _token(hop, "ada"), {**app, **_token(hop, "ada")}, {**app, **_token(hop, "bob")})


def test_one_name_in_two_files_is_two_consumers(hop: Hop, keys: dict[str, str]) -> None:
    _apart(hop, "/either-key", {"x-app": keys["app-ada"]}, {"x-user": keys["user-ada"]})


@pytest.mark.parametrize("more", [{}, {"cookie": "session=1"}, {"authorization": "Basic YTpi"}])
def test_who_is_an_address_only_is_given_nothing_kept(hop: Hop, more: dict[str, str]) -> None:
    assert _answer(hop, "/open", more) != _answer(hop, "/open", more)


def test_a_credential_that_only_the_service_reads_is_not_answered_from_the_cache(
    hop: Hop, keys: dict[str, str]
) -> None:
    app = {"x-app": keys["app-mobile"]}
    _apart(hop, "/passed", app)
    own = {**app, "authorization": "Basic YTpi"}
    assert len({_answer(hop, "/passed", each) for each in (app, own, own)}) == 3
    assert _answer(hop, "/either-key", app) == _answer(hop, "/either-key", own)


def test_operations_that_a_match_tells_apart_share_nothing(hop: Hop) -> None:
    """What only a token opens is not given to who asks without `x-beta`, and needs none."""
    _apart(hop, "/chosen", {"x-beta": "1", **_token(hop, "ada")}, {})
    assert hop.client.get("/chosen", headers={"x-beta": "1"}).status_code == 401
