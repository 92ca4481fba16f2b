"""The first thread: contract, token, policy, answer and trace, through the running gateway, sentence by sentence."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from tests.e2e.shop import ID, TRACE, Shop, wait

ITEM = {"name": "Lamp", "price": 12.5}


def test_allowed_refused_denied_and_traced(shop: Shop) -> None:
    """One operation from end to end: each answer, its reason, and one trace id in document, log and spans."""
    since = len(shop.first.log)
    for who, limit, status, code in (
        ("rita", 10, 200, None),
        ("rita", 1000, 400, "maximum"),
        ("mallory", 10, 403, "policy-denied"),
    ):
        trace = secrets.token_hex(16)
        answer = shop.ask("GET", f"/shop/v1/items?limit={limit}", who, trace=trace)
        assert answer.status_code == status, answer.text
        line = shop.line(trace)
        assert (line["status"], line["code"]) == (status, code)
        steps = {"GET /shop/v1/items", "match", "validate"}
        spans = shop.collector.wait(trace, lambda found, steps=steps: steps <= {s.name for s in found})
        assert steps <= {s.name for s in spans}
        if code:
            assert answer.json()["traceId"] == trace
            assert answer.json()["code"] == code
        if status == 403:
            assert answer.json()["detail"] == "mallory is not served here"
    assert [r.full_path for r in shop.asked(since)] == ["/shop/v1/items?limit=10"]


REFUSED = (
    ("GET", "/shop/v1/nowhere?x=1", None, 404, "not-found", None),
    ("GET", "/shop/v1", "rita", 404, "not-found", None),
    ("PUT", "/shop/v1/items?x=1", None, 405, "method-not-allowed", None),
    ("GET", "/shop/v1/items?limit=1000", None, 401, "token-missing", "listItems"),
    ("GET", "/shop/v1/items?limit=1000", "mallory", 400, "maximum", "listItems"),
    ("DELETE", f"/shop/v1/items/{ID}?x=1", "rita", 400, "unknown-parameter", "deleteItem"),
    ("DELETE", f"/shop/v1/items/{ID}", "rita", 403, "insufficient-scope", "deleteItem"),
    ("GET", "/shop/v1/items", "mallory", 403, "policy-denied", "listItems"),
    ("GET", "/shop/v2/silent", "rita", 403, "policy-undefined", "silent"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "target", "who", "status", "code", "operation"), REFUSED)
def test_order_of_answers(
    shop: Shop, method: str, target: str, who: str | None, status: int, code: str, operation: str | None
) -> None:
    """404 and 405, then 401, then 400 and its kin, then 403: whatever else is wrong with the request."""
    since = len(shop.first.log)
    answer = shop.ask(method, target, who)
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    assert document["code"] == code
    assert document["operationId"] == operation
    assert TRACE.fullmatch(document["traceId"])
    assert document["type"] == "about:blank"
    assert document["title"]
    assert isinstance(document["errors"], list)
    line = shop.line(document["traceId"])
    assert (line["status"], line["operation"]) == (status, operation)
    assert not shop.asked(since)


def test_the_trace_of_every_refusal(shop: Shop) -> None:
    """`traceId` names a trace with one server span, whoever refused."""
    traces = [shop.ask(method, target, who).json()["traceId"] for method, target, who, *_ in REFUSED]
    for trace in traces:
        spans = shop.collector.wait(trace, lambda found: any(s.kind == 2 for s in found))
        assert [s.kind for s in spans].count(2) == 1


def test_a_405_lists_what_the_path_has(shop: Shop) -> None:
    assert shop.ask("PUT", "/shop/v1/items").headers["allow"] == "GET, POST"
    assert shop.ask("POST", f"/shop/v1/items/{ID}").headers["allow"] == "DELETE, GET"


def test_a_401_says_bearer(shop: Shop) -> None:
    assert shop.ask("GET", "/shop/v1/me", None).headers["www-authenticate"].startswith("Bearer")
    assert "insufficient_scope" in shop.ask("DELETE", f"/shop/v1/items/{ID}").headers["www-authenticate"]


def test_all_violations_are_listed(shop: Shop) -> None:
    """`errors[]` of `in`, `pointer`, `code`, `detail`; the document's code is the first one's; no value is repeated."""
    answer = shop.ask("POST", "/shop/v1/items?limit=7", json={"name": "n" * 21, "price": -5, "colour": "vermilion"})
    assert answer.status_code == 400
    document = answer.json()
    found = {(e["in"], e["pointer"], e["code"]) for e in document["errors"]}
    assert found == {
        ("query", "/limit", "unknown-parameter"),
        ("body", "/name", "max-length"),
        ("body", "/price", "minimum"),
        ("body", "/colour", "unknown-property"),
    }, answer.text
    assert document["code"] == document["errors"][0]["code"]
    assert all(set(e) == {"in", "pointer", "code", "detail"} and e["detail"] for e in document["errors"])
    assert "vermilion" not in answer.text
    assert "nnnn" not in answer.text


def test_scopes(shop: Shop) -> None:
    answer = shop.ask("DELETE", f"/shop/v1/items/{ID}", scope="items:read items:admin")
    assert answer.status_code == 200, answer.text
    assert shop.asked()[-1].method == "DELETE"


def test_every_kind_of_scheme_that_is_a_token(shop: Shop) -> None:
    """`http` bearer and `oauth2` are all over this file; this is `openIdConnect`, with its scopes."""
    asked = [shop.ask("GET", "/shop/v2/connected", who, scope=scope) for who, scope in
             ((None, None), ("rita", None), ("rita", "profile"))]  # fmt: skip
    assert [a.status_code for a in asked] == [401, 403, 200]
    assert asked[1].json()["code"] == "insufficient-scope"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_signatures(shop: Shop, algorithm: str) -> None:
    token = shop.issuer.token(algorithm, aud="shop")
    answer = shop.ask("GET", "/shop/v1/me", None, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("claims", "code"), [
    ({"exp": 1}, "token-expired"), ({"exp": None}, "token-invalid"), ({"aud": "another"}, "token-invalid"),
    ({"iss": "https://another.test"}, "token-invalid"), ({"headers": {"crit": ["x"], "x": 1}}, "token-invalid"),
])  # fmt: skip
def test_tokens_that_do_not_count(shop: Shop, claims: dict[str, Any], code: str) -> None:
    token = shop.issuer.token(**{"aud": "shop", **claims})
    answer = shop.ask("GET", "/shop/v1/me", None, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, code), answer.text


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/shop/v1/me"), ("GET", "/alias/store/me"), ("GET", "/inner/pathwise"), ("POST", "/pathwise"),
])  # fmt: skip
def test_the_public_path(shop: Shop, method: str, path: str) -> None:
    """The innermost server's path, each entry a base, variables at their defaults; the upstream gets the same path."""
    since = len(shop.first.log)
    assert shop.ask(method, path).status_code == 200
    assert [(r.method, r.path) for r in shop.asked(since)] == [(method, path)]


@pytest.mark.parametrize(
    "path", ["/me", "/alias/shop/me", "/shop/v1/pathwise", "/alias/store/pathwise", "/eu/shop/v1/me"]
)
def test_no_other_path_is_public(shop: Shop, path: str) -> None:
    assert shop.ask("GET", path).status_code == 404


def test_every_base_is_the_same_operation(shop: Shop) -> None:
    """Name, policy and rules are those of the contract's one operation."""
    document = shop.ask("GET", "/alias/store/items?limit=0").json()
    assert (document["code"], document["operationId"]) == ("minimum", "listItems")
    told = json.loads(_told(shop, "/alias/store/told/7?ids=1"))
    assert told["operation_id"] == "tell"


@pytest.mark.parametrize(("host", "status", "service"), [
    ("north.test", 200, "north"), ("arctic.test", 200, "north"), ("NORTH.test:8080", 200, "north"),
    ("south.test", 200, "south"),
    ("other.test", 404, None), ("eu.elsewhere.test", 404, None),
])  # fmt: skip
def test_hosts(shop: Shop, host: str, status: int, service: str | None) -> None:
    """`hosts` choose between services that have the same path; hosts in `servers` route nothing."""
    trace = secrets.token_hex(16)
    assert shop.ask("GET", "/where", None, headers={"host": host}, trace=trace).status_code == status
    assert shop.line(trace)["service"] == service
    for upstream, name in ((shop.first, "north"), (shop.second, "south")):
        assert bool([r for r in shop.asked(0, upstream) if trace in r.headers["traceparent"]]) == (name == service)


def test_a_service_without_hosts_is_at_every_host(shop: Shop) -> None:
    for host in ("south.test", "anything.test", "eu.elsewhere.test"):
        assert shop.ask("GET", "/shop/v1/me", headers={"host": host}).status_code == 200, host


def test_versions_have_upstreams_of_their_own(shop: Shop) -> None:
    since = len(shop.second.log)
    assert shop.ask("GET", "/shop/v2/items", "dora").status_code == 200
    assert [r.path for r in shop.asked(since, shop.second)] == ["/shop/v2/items"]
    assert not [r for r in shop.asked() if r.path.startswith("/shop/v2")]


@pytest.mark.parametrize(("method", "path", "person"), [
    ("GET", "/shop/v2/items", "dora"), ("GET", "/shop/v2/chosen", "paula"), ("POST", "/shop/v2/chosen", "olga"),
    ("GET", "/shop/v2/silent", "silas"),
])  # fmt: skip
def test_the_innermost_policy_decides(shop: Shop, method: str, path: str, person: str) -> None:
    """`x-sidegate.policy`: operation over path item over document."""
    passed = {
        who for who in ("dora", "paula", "olga", "silas", "rita") if shop.ask(method, path, who).status_code == 200
    }
    assert passed == {person}


def test_a_policy_written_for_opa_envoy(shop: Shop) -> None:
    """`data.envoy.authz.allow`: input and result are OPA-Envoy's documents."""
    answer = shop.ask("GET", "/guest/door?word=please", None, headers={"x-secret": "1", "x-guest": "forged"})
    assert answer.status_code == 200
    assert any(name.endswith("x-from") and value == "policy" for name, value in answer.headers.items())
    got = shop.asked()[-1]
    assert got.headers.getlist("x-guest") == ["welcome"]
    assert "x-secret" not in got.headers
    refused = shop.ask("GET", "/guest/door?word=now", None)
    assert (refused.status_code, refused.text, refused.headers["x-why"]) == (418, "say the word", "impolite")
    assert shop.ask("GET", "/guest/door", None).status_code == 403


def test_what_the_policy_is_told(shop: Shop) -> None:
    """`input.sidegate`: parameters decoded and typed by the contract, the verified claims, the client."""
    told = json.loads(_told(shop, "/shop/v1/told/7?ids=1,20,300"))
    assert told == {
        "service": "shop", "version": "v1", "operation_id": "tell", "tags": "first second", "number": 7, "ids": 321,
        "flag": True, "colour": "red", "sub": "rita", "aud": "shop", "client": "rita",
    }  # fmt: skip


def _told(shop: Shop, target: str) -> str:
    answer = shop.ask("GET", target, headers={"x-flag": "true", "cookie": "colour=red", "x-told": "forged"})
    assert answer.status_code == 200, answer.text
    told: str = shop.asked()[-1].headers["x-told"]
    return told


def test_an_operation_without_policy_says_so(shop: Shop) -> None:
    assert shop.ask("GET", "/shop/v1/page", None).status_code == 200
    explained = shop.gateway.manage("/explain/shop/v1/page").json
    assert explained["policy"]["exempt"] == "a page for everybody"


def test_undeclared_parameters(shop: Shop) -> None:
    """Refused, unless `x-sidegate: {undeclared: pass}`."""
    assert shop.ask("GET", "/shop/v1/me?colour=red").json()["code"] == "unknown-parameter"
    assert shop.ask("GET", "/shop/v1/loose?colour=red").status_code == 200
    assert shop.asked()[-1].full_path == "/shop/v1/loose?colour=red"


MULTIPART = '--B\r\nContent-Disposition: form-data; name="n"\r\n\r\n{}\r\n--B--\r\n'


@pytest.mark.parametrize(("media", "body", "status", "code"), [
    ("application/x-www-form-urlencoded", b"n=9", 200, None),
    ("application/x-www-form-urlencoded", b"n=10", 400, "maximum"),
    ("application/x-www-form-urlencoded", b"n=1&m=2", 400, "unknown-property"),
    ("multipart/form-data; boundary=B", MULTIPART.format(9).encode(), 200, None),
    ("multipart/form-data; boundary=B", MULTIPART.format("x").encode(), 400, "type"),
    ("text/plain", b"short", 200, None),
    ("text/plain", b"longer", 400, "max-length"),
    ("application/octet-stream", bytes(range(256)) * 700, 200, None),
    ("application/json", b"{}", 415, "unsupported-media-type"),
    ("", b"n=9", 415, "unsupported-media-type"),
    ("text/plain", b"", 400, "missing-body"),
])  # fmt: skip
def test_bodies(shop: Shop, media: str, body: bytes, status: int, code: str | None) -> None:
    """The body that was judged is the body that is forwarded, whole, or the request is refused."""
    since = len(shop.first.log)
    answer = shop.ask("POST", "/shop/v1/form", content=body, headers={"content-type": media} if media else {})
    assert answer.status_code == status, answer.text
    got = [r.get_data() for r in shop.asked(since)]
    assert got == ([body] if status == 200 else [])
    assert code is None or answer.json()["code"] == code


@pytest.mark.parametrize(("body", "code"), [
    (b'{"name": "a", "price": 1, "price": 2}', "duplicate-key"),
    (b'{"name": "a", "price": 1e999}', "number-range"),
    (b'{"name": "a", "price": NaN}', "number-range"),
    (b'{"name": "a", "price": 1', "malformed-json"),
    (b'{"name": "\xff", "price": 1}', ("malformed-json", "malformed-text")),
    (b"[" * 5000, ("depth", "malformed-json")),
])  # fmt: skip
def test_json_is_read_strictly(shop: Shop, body: bytes, code: str | tuple[str, ...]) -> None:
    answer = shop.ask("POST", "/shop/v1/items", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in (code if isinstance(code, tuple) else (code,)), answer.text


def test_a_body_over_the_limit(shop: Shop) -> None:
    answer = shop.ask(
        "POST", "/shop/v1/form", content=b"x" * (2 << 20), headers={"content-type": "application/octet-stream"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_the_policy_reads_the_body(shop: Shop) -> None:
    assert shop.ask("POST", "/shop/v1/items", json=ITEM).status_code == 200
    answer = shop.ask("POST", "/shop/v1/items", json={**ITEM, "price": 1001})
    assert (answer.status_code, answer.json()["detail"]) == (403, "too dear for this shop")


def test_the_refusals_are_printed(shop: Shop) -> None:
    """One line for each refusal, with the line of the policy or contract that refused it."""
    shop.ask("GET", "/shop/v1/items?limit=1001")
    shop.ask("GET", "/shop/v1/items", "mallory")
    shop.ask("GET", "/shop/v1/printed")
    lines = (
        "400 GET /shop/v1/items  contracts/shop/v1.yaml:14  query /limit: must be at most 100",
        "403 GET /shop/v1/items  policies/shop/authz.rego:",
        "404 GET /shop/v1/printed",
    )
    assert wait(lambda: all(line in shop.gateway.output for line in lines)), shop.gateway.output[-2000:]
