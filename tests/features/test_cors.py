"""`cors`: what a browser asks before and reads after a request of another origin's page, preflights by the proxy alone."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import CONTRACT, compiled_with
from xds.keyfile import add

APP, EVIL = "https://app.example.com", "https://evil.example"
CORS = {"origins": [APP, "https://*.partner.test"], "headers": ["X-Trace-Me"], "expose": ["X-Total"], "maxAge": "10m"}


def _loose(request: Request) -> Response:
    """A service that has ideas of its own about CORS."""
    loose = {"access-control-allow-origin": "*", "Access-Control-Allow-Credentials": "true", "vary": "accept"}
    return Response("here", 200, loose)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    own = [{"name": "X-Page", "in": "header", "schema": {"type": "string"}}]
    private = {**CORS, "origins": [APP], "credentials": True}
    paths = {
        "/items": {
            "get": operation(parameters=own),
            "put": operation(requestBody=body, security=[{"bearer": []}]),
            "delete": operation(x_sidegate={"cors": {**CORS, "methods": ["GET"]}}),
        },
        "/items/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": operation(),
            "options": operation(),
        },
        "/me": {"get": operation(security=[{"bearer": []}], x_sidegate={"cors": private})},
        "/keyed": {
            "get": operation(security=[{"key": []}, {"crumb": []}]),
            "post": operation(security=[{"key": [], "bearer": []}]),
            "delete": operation(security=[{"crumb": []}]),
        },
        "/moved": {
            "get": operation(
                x_sidegate={
                    "redirect": {"to": "/items", "status": 308},
                    "cors": {**CORS, "expose": ["X-Total", "X-It's"]},
                    "rateLimits": [{"name": "few", "by": ["header:x-few"], "limit": 1, "per": "hour"}],
                },
                parameters=[{"name": "x-few", "in": "header", "schema": {"type": "string"}}],
            )
        },
        "/all": {"get": operation(x_sidegate={"cors": {"origins": ["*"]}})},
    }
    document = contract(paths, **{"x-sidegate": {"cors": CORS}})
    document["components"]["securitySchemes"] |= {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "crumb": {"type": "apiKey", "in": "cookie", "name": "session"},
    }
    folder = tmp_path_factory.mktemp("cors")
    add(folder / "consumers.yaml", "mobile")
    files = {"keys/consumers.yaml": (folder / "consumers.yaml").read_text()}
    settings = {"security": {name: {"keys": {"file": "keys/consumers.yaml"}} for name in ("key", "crumb")}}
    with serve(folder, document, answer=_loose, settings=settings, files=files) as running:
        yield running


def preflight(hop: Hop, path: str, method: str, origin: str = APP, *names: str) -> httpx.Response:
    """What a browser sends before a request that is not simple (WHATWG Fetch, CORS-preflight fetch)."""
    asked = {"access-control-request-headers": ",".join(names)} if names else {}
    own = {"origin": origin, "access-control-request-method": method, "sec-fetch-mode": "cors"}
    return hop.client.options(path, headers={**own, **asked})


def admits(answer: httpx.Response, origin: str, method: str, *names: str) -> bool:
    """Whether a browser goes on after the answer to a preflight (WHATWG Fetch, CORS-preflight fetch, steps 7 and on)."""

    def listed(header: str) -> list[str]:
        return [each.strip() for each in answer.headers.get(header, "").split(",") if each.strip()]

    allowed = answer.headers.get("access-control-allow-origin")
    simple = method in ("GET", "HEAD", "POST")
    return (
        200 <= answer.status_code < 300
        and allowed in (origin, "*")
        and (simple or method in listed("access-control-allow-methods"))
        and all(name.lower() in listed("access-control-allow-headers") for name in names)
    )


def test_a_preflight_needs_no_token_and_reaches_nobody(hop: Hop) -> None:
    before = len(hop.server.log)
    answer = preflight(hop, "/items", "PUT", APP, "authorization", "content-type", "x-trace-me")
    assert admits(answer, APP, "PUT", "authorization", "content-type", "x-trace-me")
    assert answer.headers["access-control-max-age"] == "600"
    assert len(hop.server.log) == before


def test_credentials_are_admitted_in_the_headers_that_carry_them(hop: Hop) -> None:
    listed = {m: preflight(hop, "/keyed", m).headers["access-control-allow-headers"] for m in ("GET", "POST", "DELETE")}
    assert listed == {"GET": "x-key, x-trace-me", "POST": "authorization, x-key, x-trace-me", "DELETE": "x-trace-me"}
    assert admits(preflight(hop, "/keyed", "GET", APP, "x-key"), APP, "GET", "x-key")


def test_a_page_may_follow_a_redirect_and_read_why_it_is_refused(hop: Hop) -> None:
    """Browsers follow only answers that the page may read (WHATWG Fetch, HTTP-redirect fetch)."""
    for origin, read in ((APP, APP), (EVIL, None)):
        own = {"origin": origin, "x-few": origin}
        moved, refused = (hop.client.get("/moved", headers=own) for _ in range(2))
        assert (moved.status_code, refused.status_code) == (308, 429)
        for answer in (moved, refused):
            assert answer.headers.get("access-control-allow-origin") == read
            assert answer.headers.get("access-control-expose-headers") == (read and "x-it's, x-total")
            assert "origin" in answer.headers["vary"]
    assert admits(preflight(hop, "/moved", "GET", APP, "x-few"), APP, "GET", "x-few")


def test_only_what_the_contract_has_is_admitted(hop: Hop) -> None:
    """PATCH is no operation, DELETE is taken out by `methods`, and the header is another operation's."""
    for method in ("PATCH", "DELETE"):
        answer = preflight(hop, "/items", method)
        assert not admits(answer, APP, method)
        assert answer.headers["access-control-allow-methods"] == "GET, PUT"
    assert not admits(preflight(hop, "/items", "PUT", APP, "x-page"), APP, "PUT", "x-page")
    assert admits(preflight(hop, "/items", "GET", APP, "x-page"), APP, "GET", "x-page")


@pytest.mark.parametrize(
    "origin",
    [EVIL, "https://app.example.com.evil.example", "http://app.example.com", "null", "https://partner.test", "*"],
)
def test_a_refused_origin_is_told_nothing(hop: Hop, origin: str) -> None:
    before = len(hop.server.log)
    answer = preflight(hop, "/items", "PUT", origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert len(hop.server.log) == before
    simple = hop.client.get("/items", headers={"origin": origin})
    assert simple.status_code == 200
    assert not [name for name in simple.headers if name.startswith("access-control-")]


def test_a_method_that_browsers_use_without_asking_is_refused_where_it_has_none(hop: Hop) -> None:
    """They look at no list of methods before a GET, HEAD or POST."""
    for method in ("POST", "HEAD"):
        answer = preflight(hop, "/items", method)
        assert answer.status_code == 403
        assert not admits(answer, APP, method)


@pytest.mark.parametrize("origin", [APP, "https://one.partner.test", "https://a.b.partner.test"])
def test_an_origin_that_is_named_reads_the_answer(hop: Hop, origin: str) -> None:
    answer = hop.client.get("/items/1", headers={"origin": origin})
    assert answer.headers.get_list("access-control-allow-origin") == [origin]
    assert answer.headers["access-control-expose-headers"] == "x-total"
    assert "access-control-allow-credentials" not in answer.headers
    assert {each.strip() for each in answer.headers["vary"].split(",")} == {"accept", "origin"}


def test_every_refusal_can_be_read_by_the_page(hop: Hop) -> None:
    """Envoy's own 401, 405 and 413 and the companion's 400 carry the headers."""
    token = {"authorization": f"Bearer {hop.issuer.token(sub='ada', aud='ref')}"}
    refused = {
        401: hop.client.put("/items", json={}, headers={"origin": APP}),
        400: hop.client.get("/items/none", headers={"origin": APP}),
        405: hop.client.post("/items", headers={"origin": APP}),
        413: hop.client.put("/items", content=b"x" * 2_000_000, headers={"origin": APP, **token}),
    }
    for status, answer in refused.items():
        assert answer.status_code == status
        assert answer.headers.get("access-control-allow-origin") == APP, status
        assert answer.json()["code"]
    stranger = hop.client.post("/items", headers={"origin": EVIL})
    assert stranger.status_code == 405
    assert not [name for name in stranger.headers if name.startswith("access-control-")]


def test_credentials_only_where_they_are_declared(hop: Hop) -> None:
    assert preflight(hop, "/me", "GET").headers["access-control-allow-credentials"] == "true"
    refused = hop.client.get("/me", headers={"origin": APP})
    assert (refused.status_code, refused.headers["access-control-allow-credentials"]) == (401, "true")
    anywhere = hop.client.get("/all", headers={"origin": EVIL})
    assert anywhere.headers["access-control-allow-origin"] in (EVIL, "*")
    assert "access-control-allow-credentials" not in anywhere.headers


def test_an_options_operation_is_still_the_contracts(hop: Hop) -> None:
    """What is no preflight goes where the contract says; without such an operation it is 405."""
    assert hop.client.options("/items/1", headers={"origin": APP}).text == "here"
    assert hop.client.options("/items", headers={"origin": APP}).status_code == 405
    assert admits(preflight(hop, "/items/1", "GET"), APP, "GET")


def test_nothing_odd_gets_past_the_filter(hop: Hop) -> None:
    """A preflight that Envoy's filter would not answer itself is not forwarded either."""
    before = len(hop.server.log)
    for odd in ({"origin": "", "access-control-request-method": "GET"}, {"access-control-request-method": "GET"}):
        assert hop.client.options("/items", headers=odd).status_code in (405, 503)
    twice = [("origin", APP), ("origin", EVIL), ("access-control-request-method", "PUT")]
    assert not admits(hop.client.request("OPTIONS", "/items", headers=twice), APP, "PUT")
    assert len(hop.server.log) == before


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('cors: {origins: ["*"], credentials: true}', "act as the user"),
        ('cors: {origins: ["*", "https://a.test"]}', "say nothing"),
        ('cors: {origins: ["https://a.test:443"]}', "default port"),
        ('cors: {origins: ["https://a.test/"]}', "does not match"),
        ('cors: {origins: ["null"]}', "does not match"),
        ('cors: {origins: ["https://a.test"], methods: [GET, DELETE]}', "no operation here has the method DELETE"),
        ('cors: {origins: ["https://a.test"], methods: [GET, OPTIONS]}', "no operation here has the method OPTIONS"),
        ("cors: {origins: []}", "cors"),
        ('cors: {origin: ["https://a.test"]}', "no key `origin`"),
    ],
)
def test_bad_settings_have_a_place(written: str, message: str) -> None:
    found = compiled_with(written)
    assert any(message in each.message for each in found), found
    assert all(each.span and each.span.file == "contracts/pets/v1.yaml" and each.span.line for each in found)


@pytest.mark.parametrize(("methods", "lacking"), [("GET, POST", []), ("GET, POST, PUT", ["PUT"]), ("POST", [])])
def test_methods_of_a_document_are_those_of_any_of_its_paths(methods: str, lacking: list[str]) -> None:
    cors = f"x-sidegate: {{cors: {{origins: ['https://a.test'], methods: [{methods}]}}}}\npaths:\n"
    found = compiled_with("timeout: 1s", CONTRACT.replace("paths:\n", cors, 1))
    assert [each.message.rpartition(" ")[2] for each in found] == lacking
