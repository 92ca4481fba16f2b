"""`headers`, `query`: what the service and the client see is changed behind everything that judges, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with
from xds.keyfile import add

TRACE = re.compile(r"[0-9a-f]{32}")

HEADERS: dict[str, Any] = {
    "request": {
        "set": {"X-Source": "gateway 100%", "x-operation": "${operationId}/${traceId}"},
        "add": {"x-list": "two"},
        "remove": ["x-debug"],
    },
    "response": {
        "set": {"cache-hint": "none", "x-trace": "${traceId}"},
        "add": {"x-kind": "b"},
        "remove": ["x-powered-by", "Server"],
    },
}


def _leaky(request: Request) -> Response:
    headers = [("x-powered-by", "PHP/4.0"), ("server", "Apache/1.3"), ("x-kind", "a"), ("cache-hint", "x")]
    return Response("ok", 200, headers)


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("transforms")
    keys["mobile"] = add(folder / "consumers.yaml", "mobile")
    who = {"headers": {"request": {"set": {"x-who": "<${consumer}>", "x-maybe": "${consumer}"}}}}
    limit = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("a", "debug", "source", "b")]
    listed = [{"name": "x-source", "in": "header", "required": True, "schema": {"enum": ["client"]}}]
    paths = {
        "/plain": {"get": operation()},
        "/headers": {"get": operation(operationId="readIt", x_sidegate={"headers": HEADERS})},
        "/judged": {"get": operation(parameters=listed, x_sidegate={"headers": HEADERS})},
        "/query": {
            "get": operation(
                operationId="find:It",
                parameters=limit,
                x_sidegate={"query": {"set": {"source": "a&b=c ${operationId}"}, "remove": ["debug", "a.b"]}},
            )
        },
        "/mine": {"get": operation(security=[{"key": []}, {}], x_sidegate=who)},
        "/traced": {"get": operation(parameters=limit, x_sidegate={"query": {"set": {"t": "${traceId}"}}})},
    }
    document = contract(
        paths,
        components={"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}},
        **{"x-sidegate": {"headers": {"response": {"remove": ["x-powered-by"]}}}},
    )
    settings = {"security": {"key": {"keys": {"file": "keys/consumers.yaml"}}}}
    files = {"keys/consumers.yaml": (folder / "consumers.yaml").read_text()}
    with serve(folder, document, answer=_leaky, settings=settings, files=files) as running:
        yield running


def _seen(hop: Hop, target: str, headers: list[tuple[str, str]] | None = None) -> tuple[httpx.Response, Request]:
    since = len(hop.server.log)
    answer = hop.client.get(target, headers=headers)
    assert answer.status_code == 200, answer.text
    (request,) = hop.reached(since)
    return answer, request


def test_the_service_sees_changed_headers(hop: Hop) -> None:
    _, request = _seen(hop, "/headers", [("x-source", "client"), ("x-debug", "1"), ("x-list", "one")])
    assert request.headers["x-source"] == "gateway 100%"
    assert "x-debug" not in request.headers
    assert request.headers.getlist("x-list") in (["one", "two"], ["one,two"])
    name, _, trace = request.headers["x-operation"].partition("/")
    assert name == "readIt"
    assert TRACE.fullmatch(trace)


def test_a_header_may_name_the_consumer(hop: Hop, keys: dict[str, str]) -> None:
    _, request = _seen(hop, "/mine", [("x-api-key", keys["mobile"])])
    assert (request.headers["x-who"], request.headers["x-maybe"]) == ("<mobile>", "mobile")
    _, request = _seen(hop, "/mine", [("x-sidegate-consumer", "admin"), ("x-maybe", "admin")])
    assert "admin" not in str(request.headers)


def test_the_client_sees_changed_headers(hop: Hop) -> None:
    answer, request = _seen(hop, "/headers")
    assert "x-powered-by" not in answer.headers
    assert answer.headers["server"] == "sidegate"
    assert answer.headers["cache-hint"] == "none"
    assert answer.headers.get_list("x-kind", split_commas=True) == ["a", "b"]
    assert answer.headers["x-trace"] == request.headers["x-operation"].partition("/")[2]


def test_the_documents_key_holds_for_every_operation(hop: Hop) -> None:
    answer, request = _seen(hop, "/plain", [("x-debug", "1")])
    assert "x-powered-by" not in answer.headers
    assert answer.headers["cache-hint"] == "x"
    assert request.headers["x-debug"] == "1"


def test_what_is_judged_is_what_the_client_sent(hop: Hop) -> None:
    """The contract asks for the client's value, and not for that which the service gets."""
    _, request = _seen(hop, "/judged", [("x-source", "client")])
    assert request.headers["x-source"] == "gateway 100%"
    refused = hop.client.get("/judged")
    assert (refused.status_code, refused.json()["code"]) == (400, "missing-parameter")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("", "source=a%26b%3Dc%20find%3AIt"),
        ("?", "source=a%26b%3Dc%20find%3AIt"),
        ("?a=1&debug=1&b=2", "a=1&b=2&source=a%26b%3Dc%20find%3AIt"),
        ("?%64ebu%67=1&b=2", "b=2&source=a%26b%3Dc%20find%3AIt"),
        ("?source=mine&a=1", "a=1&source=a%26b%3Dc%20find%3AIt"),
        # what is left alone stays as it was written: unescaped, it would be other parameters
        ("?a=1%26debug=1%23x%2Cy+z", "a=1%26debug=1%23x%2Cy+z&source=a%26b%3Dc%20find%3AIt"),
        ("?a=%C3%A9%0d%0ax&b", "a=%C3%A9%0d%0ax&b&source=a%26b%3Dc%20find%3AIt"),
    ],
)
def test_the_service_sees_a_changed_query(hop: Hop, sent: str, expected: str) -> None:
    since = len(hop.server.log)
    answer = hop.client.get(f"/query{sent}")
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        (request,) = hop.reached(since)
        assert request.environ["QUERY_STRING"] == expected
    else:
        assert "&b" in sent
        assert answer.json()["code"] == "empty-parameter"


def test_a_query_may_name_the_trace(hop: Hop) -> None:
    _, request = _seen(hop, "/traced?a=1")
    assert re.fullmatch(r"a=1&t=[0-9a-f]{32}", request.environ["QUERY_STRING"])


def test_refusals_come_before_any_change(hop: Hop) -> None:
    refused = hop.client.get("/query?nothing=1")
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown-parameter")
    assert hop.client.get("/headers?x=1").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ("headers: {request: {set: {Host: x}}}", "extension-value", "header `host`"),
        ("headers: {request: {remove: [Authorization]}}", "extension-value", "header `authorization`"),
        ("headers: {request: {add: {x-sidegate-client: x}}}", "extension-value", "header `x-sidegate-client`"),
        ("headers: {response: {set: {content-length: '1'}}}", "extension-value", "header `content-length`"),
        ("headers: {response: {set: {x-a: '${subject}'}}}", "extension-value", "placeholder"),
        ("headers: {response: {set: {x-a: '1'}, remove: [X-A]}}", "extension-value", "stands here twice"),
        ('headers: {request: {set: {x-a: "1\\r\\nx: 2"}}}', "extension-value", "does not match"),
        ("headers: {request: {set: {':path': /x}}}", "extension-value", "does not match"),
        ("headers: {request: {sets: {x-a: '1'}}}", "extension-unknown", "no key `sets`"),
        ("query: {set: {a: '1'}, remove: [a]}", "extension-value", "replaces all of its name"),
        ("query: {add: {a: '1'}}", "extension-unknown", "no key `add`"),
    ],
)
def test_bad_settings_have_a_place(written: str, code: str, said: str) -> None:
    (found,) = compiled_with(written)
    assert (found.code, found.span and found.span.file) == (code, "contracts/pets/v1.yaml")
    assert found.span
    assert found.span.line == 9
    assert said in found.message
