"""API keys: in a header, a query parameter or a cookie, alone and together with tokens, by OpenAPI's AND and OR."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.processes import Admin
from tests.features.hop import Hop, contract, operation, serve
from tests.waiting import until
from xds.keyfile import add, revoke

POLICY = """\
package svc.authz

default allow := false

allow if input.sidegate.operation_id != "policy"

allow if input.sidegate.consumer == "mobile"
"""
NATIVE = {"mode": "off", "policy": "none", "reason": "only what the proxy checks"}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "api_key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "key"},
    "basic": {"type": "http", "scheme": "basic"},
}
PATHS = {
    "/header": [{"header": []}],
    "/query": [{"query": []}],
    "/cookie": [{"cookie": []}],
    "/both": [{"bearer": [], "header": []}],
    "/either": [{"bearer": ["pets:read"]}, {"header": []}],
    "/optional": [{"header": []}, {}],
    "/pair": [{"header": [], "cookie": []}],
    "/pair-or-nothing": [{"header": [], "cookie": []}, {}],
    "/pair-or-one": [{"header": [], "cookie": []}, {"cookie": []}],
    "/pair-of-kinds": [{"header": [], "basic": []}],
    "/policy": [{"header": []}],
    "/native": [{"bearer": ["pets:read"]}],
    "/later": [{"bearer": ["pets:read"]}, {"header": []}],
    "/token": [{"bearer": []}],
    "/open": [],
    "/passed": [],
    "/passed-beside": [{"header": []}],
    "/passed-read": [{"bearer": []}],
    "/basic": [{"basic": []}],
}
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
MORE = {
    "/policy": {"operationId": "policy"},
    "/native": {"x_sidegate": NATIVE},
    "/later": {"parameters": [LIMIT]},
    **{path: {"x_sidegate": {"authorization": "pass"}} for path in ("/passed", "/passed-beside", "/passed-read")},
    "/query": {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("a", "b")]},
}


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mobile", "batch"):
        keys[name] = add(folder / "consumers.yaml", name)
    keys["ada"] = add(folder / "users.yaml", "ada", basic=True)
    file = {"keys": {"file": "keys/consumers.yaml"}}
    security: dict[str, Any] = dict.fromkeys(("header", "query", "cookie"), file)
    security |= {
        "basic": {"keys": {"file": "keys/users.yaml"}},
        "bearer": {"headers": {"X-User": "sub", "x-team": "team.name"}},
    }
    paths = {path: {"get": operation(security=asked, **MORE.get(path, {}))} for path, asked in PATHS.items()}
    document = contract(paths, components={"securitySchemes": SCHEMES})
    files = {f"keys/{name}": (folder / name).read_text() for name in ("consumers.yaml", "users.yaml")}
    policies = {"authz.rego": POLICY}
    with serve(folder, document, settings={"security": security}, files=files, policies=policies) as running:
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


@pytest.mark.parametrize("place", ["query", "cookie"])
def test_a_key_elsewhere_is_taken_off(hop: Hop, keys: dict[str, str], place: str) -> None:
    """What stands beside it goes on."""
    since, key = len(hop.server.log), keys["mobile"]
    sent: dict[str, Any] = {"url": f"/query?a=1&api_key={key}&b=2"} if place == "query" else {"url": "/cookie"}
    headers = {"cookie": f'theme=dark; key="{key}"; lang=en'} if place == "cookie" else {}
    assert hop.client.get(**sent, headers=headers).status_code == 200
    (request,) = hop.reached(since)
    if place == "query":
        assert request.full_path == "/query?a=1&b=2"
    else:
        assert request.headers["cookie"] == "theme=dark; lang=en"
    assert hop.client.get(sent["url"].replace(key, key[:-1]), headers={}).status_code == 401


def test_two_keys_are_none(hop: Hop, keys: dict[str, str]) -> None:
    key = keys["mobile"]
    assert hop.client.get(f"/query?api_key={key}&api_key={key}").status_code == 401
    assert hop.client.get("/cookie", headers={"cookie": f"key={key}; key=x"}).status_code == 401
    assert hop.client.get("/header", headers=[("x-api-key", key), ("x-api-key", key)]).status_code == 401


def test_and_means_both(hop: Hop, keys: dict[str, str]) -> None:
    token = {"authorization": f"Bearer {hop.issuer.token()}"}
    key = {"x-api-key": keys["mobile"]}
    since = len(hop.server.log)
    assert hop.client.get("/both", headers={**token, **key}).status_code == 200
    (request,) = hop.reached(since)
    assert "authorization" not in request.headers
    for sent, code in (
        (token, "credentials-missing"),
        (key, "credentials-missing"),
        ({**token, "x-api-key": "x"}, "credentials-invalid"),
    ):
        answer = hop.client.get("/both", headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert hop.client.get("/both", headers={**key, "authorization": "Bearer x.y.z"}).status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer, ApiKey realm="gateway", in="header", name="x-api-key"'


def test_a_consumer_goes_before_a_subject(hop: Hop, keys: dict[str, str]) -> None:
    """Whoever sends a key and a token where either would do is the key's consumer."""
    since = len(hop.server.log)
    token = hop.issuer.token(scope="pets:read")
    sent = {"authorization": f"Bearer {token}", "x-api-key": keys["mobile"]}
    assert hop.client.get("/either", headers=sent).status_code == 200
    assert hop.reached(since)[0].headers["x-sidegate-consumer"] == "mobile"


def test_credentials_that_belong_together_are_one_consumers(hop: Hop, keys: dict[str, str]) -> None:
    since = len(hop.server.log)
    same = {"x-api-key": keys["mobile"], "cookie": f"key={keys['mobile']}"}
    other = {**same, "cookie": f"key={keys['batch']}"}
    assert [hop.client.get(path, headers=same).status_code for path in ("/pair", "/pair-or-nothing")] == [200, 200]
    for path in ("/pair", "/pair-or-nothing"):
        answer = hop.client.get(path, headers=other)
        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-invalid")
    answer = hop.client.get("/pair-of-kinds", headers={"x-api-key": keys["mobile"]}, auth=("ada", keys["ada"]))
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials-invalid")
    assert hop.client.get("/pair-or-one", headers=other).status_code == 200
    assert [r.headers["x-sidegate-consumer"] for r in hop.reached(since)] == ["mobile", "mobile", "batch"]


def test_or_means_either(hop: Hop, keys: dict[str, str]) -> None:
    right = {"authorization": f"Bearer {hop.issuer.token(scope='a pets:read')}"}
    listed = {"authorization": f"Bearer {hop.issuer.token(scp=['pets:read'])}"}
    lacking = {"authorization": f"Bearer {hop.issuer.token(scope='pets:reader')}"}
    key = {"x-api-key": keys["mobile"]}
    for sent in (right, listed, key, {**lacking, **key}, {**right, "x-api-key": "wrong"}):
        assert hop.client.get("/either", headers=sent).status_code == 200
    assert hop.client.get("/either").json()["code"] == "credentials-missing"
    answer = hop.client.get("/either", headers=lacking)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-scope")
    assert 'scope="pets:read"' in answer.headers["www-authenticate"]


def test_nothing_is_an_alternative_but_a_wrong_key_is_none(hop: Hop, keys: dict[str, str]) -> None:
    since = len(hop.server.log)
    assert hop.client.get("/optional").status_code == 200
    assert hop.client.get("/optional", headers={"x-api-key": keys["mobile"]}).status_code == 200
    assert hop.client.get("/optional", headers={"x-api-key": "wrong"}).status_code == 401
    assert [r.headers.get("x-sidegate-consumer") for r in hop.reached(since)] == [None, "mobile"]


def test_no_client_says_who_it_is(hop: Hop) -> None:
    since = len(hop.server.log)
    forged = {f"x-sidegate-{name}": "mobile" for name in ("consumer", "identity", "auth")}
    assert hop.client.get("/optional", headers=forged).status_code == 200
    assert hop.client.get("/header", headers={**forged, "x-sidegate-auth": "pass"}).status_code == 401
    (request,) = hop.reached(since)
    assert not [name for name in dict(request.headers) if name.lower().startswith("x-sidegate")]


def test_a_policy_knows_the_consumer(hop: Hop, keys: dict[str, str]) -> None:
    answer = hop.client.get("/policy", headers={"x-api-key": keys["mobile"]})
    assert answer.status_code == 200
    answer = hop.client.get("/policy", headers={"x-api-key": keys["batch"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "policy-denied")


def test_scopes_need_no_companion(hop: Hop) -> None:
    """An operation whose checks are all the proxy's own goes on while the companion is away; see also test_no_companion."""
    right = {"authorization": f"Bearer {hop.issuer.token(scope='pets:read')}"}
    wrong = {"authorization": f"Bearer {hop.issuer.token(scope='x')}"}
    hop.gateway.kill("companion", signal.SIGSTOP)
    try:
        assert hop.client.get("/native", headers=right).status_code == 200
        assert hop.client.get("/native", headers=wrong).json()["code"] == "insufficient-scope"
        expired = {"authorization": f"Bearer {hop.issuer.token(exp=1)}"}
        assert hop.client.get("/native", headers=expired).json()["code"] == "token-expired"
        assert hop.client.get("/native").json()["code"] == "token-missing"
    finally:
        hop.gateway.kill("companion", signal.SIGCONT)


def test_the_contract_answers_before_the_scopes(hop: Hop) -> None:
    lacking = {"authorization": f"Bearer {hop.issuer.token(scope='x')}"}
    assert hop.client.get("/later?limit=no", headers=lacking).status_code == 400
    assert hop.client.get("/later?limit=1", headers=lacking).json()["code"] == "insufficient-scope"
    assert hop.client.get("/later?limit=no").status_code == 401


def test_claims_go_on_in_headers_that_no_client_writes(hop: Hop, keys: dict[str, str]) -> None:
    since = len(hop.server.log)
    token = {"authorization": f"Bearer {hop.issuer.token(team={'name': 'red'})}", "x-user": "root", "x-team": "root"}
    assert hop.client.get("/token", headers=token).status_code == 200
    assert hop.client.get("/open", headers={"x-user": "root", "x-team": "root"}).status_code == 200
    first, second = hop.reached(since)
    assert (first.headers["x-user"], first.headers["x-team"]) == ("alice", "red")
    assert "authorization" not in first.headers
    assert "x-user" not in second.headers
    assert "x-team" not in second.headers


def test_basic(hop: Hop, keys: dict[str, str]) -> None:
    since = len(hop.server.log)
    assert hop.client.get("/basic", auth=("ada", keys["ada"])).status_code == 200
    (request,) = hop.reached(since)
    assert request.headers["x-sidegate-consumer"] == "ada"
    assert "authorization" not in request.headers
    for user, password in (("ada", "x"), ("bob", keys["ada"]), ("", ""), ("ada", "")):
        answer = hop.client.get("/basic", auth=(user, password))
        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-invalid")
    answer = hop.client.get("/basic")
    assert answer.headers["www-authenticate"] == 'Basic realm="gateway", charset="UTF-8"'
    for line in ("Basic", "Basic !", "basic YQ==", "Basic YTpi extra", "Bearer YTpi"):
        assert hop.client.get("/basic", headers={"authorization": line}).status_code == 401


@pytest.mark.parametrize(
    ("path", "goes_on"),
    [("/open", False), ("/header", False), ("/passed", True), ("/passed-beside", True), ("/passed-read", False)],
)
@pytest.mark.parametrize("verified", [True, False])
def test_what_no_scheme_reads_goes_on_where_that_is_asked(
    hop: Hop, keys: dict[str, str], path: str, goes_on: bool, verified: bool
) -> None:
    """The service must not take for verified what nobody looked at."""
    since = len(hop.server.log)
    line = f"Bearer {hop.issuer.token() if verified or path == '/passed-read' else 'x.y.z'}"
    headers = {"authorization": line} | ({"x-api-key": keys["mobile"]} if path in ("/header", "/passed-beside") else {})
    assert hop.client.get(path, headers=headers).status_code == 200
    assert hop.reached(since)[0].headers.get("authorization") == (line if goes_on else None)


def test_a_key_is_gone_once_it_is_revoked_and_new_ones_come(hop: Hop, keys: dict[str, str]) -> None:
    path = hop.folder / "keys" / "consumers.yaml"
    second = add(path, "second")
    until(lambda: hop.client.get("/header", headers={"x-api-key": second}).status_code == 200)
    assert revoke(path, "second") == 1
    until(lambda: hop.client.get("/header", headers={"x-api-key": second}).status_code == 401)
    assert hop.client.get("/header", headers={"x-api-key": keys["mobile"]}).status_code == 200


def test_no_key_is_in_what_a_node_holds(hop: Hop, keys: dict[str, str]) -> None:
    """Neither in the project nor in anything that the gateway wrote; nor in what Envoy shows of itself (O-05)."""
    texts = [path.read_bytes() for path in hop.folder.rglob("*") if path.is_file()]
    assert not [text for text in texts for key in keys.values() if key.encode() in text]
    shown = Admin(hop.gateway.roles()["envoy"].pid).get("/config_dump?include_eds")
    assert "auth" in shown
    assert not [key for key in keys.values() if key in hop.gateway.output or key in shown]
