"""Refusals of what no operation is for, 404 and 405: in the words of the path or the document, and readable by its pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pytest_sidegate.verdicts import Verdicts
from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cors import admits, preflight
from tests.projects import compiled_with

TRACE = re.compile(r"[0-9a-f]{32}")
APP, EVIL = "https://app.example.com", "https://evil.example"

OWN = {"error": "${code}", "says": "${detail}", "of": "${operationId}", "trace": "${traceId}", "n": "${status}"}
NO = {"405": {"description": "no", "content": {"application/vnd.api+json": {}}}}
ROOT = {
    "errors": {"not-found": {"body": "<none>${detail} ${traceId}</none>", "mediaType": "application/xml"}},
    "cors": {"origins": [APP], "credentials": True, "maxAge": "1m"},
}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    named = {"405": {"body": "no such method: ${detail}", "mediaType": "text/plain"}}
    conditional = {"match": {"headers": {"x-kind": "a"}}}
    said = [{"name": "x-kind", "in": "header", "schema": {"type": "string"}}]
    worded = {"errors": {"method-not-allowed": {"body": OWN}}}
    paths = {
        "/declared": {
            "x-sidegate": worded,
            "get": operation(responses={"200": {"description": "ok"}, **NO}),
            "post": operation(x_sidegate={"errors": {"408": {"detail": "x"}}}),
        },
        "/one": {"get": operation(), "put": operation(x_sidegate={"errors": named})},
        "/alike": {"x-sidegate": {"errors": {"default": {"detail": "Alas."}}}, "get": operation(), "put": operation()},
        "/unlike": {"get": operation(x_sidegate={"errors": {"default": {"detail": "Alas."}}}), "put": operation()},
        "/some": {"get": operation(parameters=said, x_sidegate=conditional)},
        "/deep/{id}/x": {
            "parameters": [{"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}],
            "get": operation(),
        },
    }
    one = contract(paths, servers=[{"url": "/shop/v1"}], **{"x-sidegate": ROOT})
    two = contract({"/declared": {"get": operation()}}, servers=[{"url": "/shop/v2"}])
    with serve(tmp_path_factory.mktemp("unrouted"), {"v1": one, "v2": two}) as running:
        yield running


def _problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    return found


def test_405_in_the_media_type_that_the_path_declares(hop: Hop) -> None:
    refused = hop.client.delete("/shop/v1/declared")
    assert (refused.status_code, refused.headers["content-type"]) == (405, "application/vnd.api+json")
    assert refused.headers["allow"] == "GET, POST"
    document = refused.json()
    assert TRACE.fullmatch(document.pop("trace"))
    says = "The path has no operation with this method; Allow lists those it has."
    assert document == {"error": "method-not-allowed", "says": says, "of": None, "n": 405}


def test_405_as_one_of_the_operations_words_it(hop: Hop) -> None:
    refused = hop.client.delete("/shop/v1/one")
    assert (refused.status_code, refused.headers["content-type"]) == (405, "text/plain")
    assert refused.text.startswith("no such method: The path has")
    assert refused.headers["allow"] == "GET, PUT"


def test_a_default_counts_where_all_have_it(hop: Hop) -> None:
    assert _problem(hop.client.delete("/shop/v1/alike"))["detail"] == "Alas."
    assert _problem(hop.client.delete("/shop/v1/unlike"))["detail"] != "Alas."


@pytest.mark.parametrize("path", ["/shop/v1/nothing", "/shop/v1/deep/a", "/shop/v1/", "/shop/v1/declared/more?a=1"])
def test_404_below_the_base_path_of_a_document(hop: Hop, path: str) -> None:
    refused = hop.client.get(path)
    assert (refused.status_code, refused.headers["content-type"]) == (404, "application/xml")
    assert re.fullmatch(r"<none>No operation has this path\. [0-9a-f]{32}</none>", refused.text)


def test_404_where_no_condition_holds(hop: Hop) -> None:
    """The path is one; its own words come before its document's."""
    refused = hop.client.get("/shop/v1/some")
    assert (refused.status_code, refused.headers["content-type"]) == (404, "application/xml")


@pytest.mark.parametrize("path", ["/shop/v2/nothing", "/nothing", "/shop/v1", "/shop/v10/nothing"])
def test_404_elsewhere_is_a_problem(hop: Hop, path: str) -> None:
    refused = hop.client.get(path, headers={"origin": APP})
    assert (refused.status_code, _problem(refused)["code"]) == (404, "not-found")
    assert not [name for name in refused.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/shop/v1/nothing"), ("DELETE", "/shop/v1/declared"), ("GET", "/shop/v1/some")],
)
def test_a_page_reads_what_is_refused(hop: Hop, method: str, path: str) -> None:
    own = hop.client.request(method, path, headers={"origin": APP})
    assert own.headers.get_list("access-control-allow-origin") == [APP]
    assert own.headers["access-control-allow-credentials"] == "true"
    assert "origin" in own.headers["vary"]
    other = hop.client.request(method, path, headers={"origin": EVIL})
    assert other.status_code == own.status_code
    assert not [name for name in other.headers if name.startswith("access-control-")]


def test_a_page_that_has_to_ask_before_is_let_ask(hop: Hop) -> None:
    """Without a preflight that goes well it would never read the 404 of a request with a token."""
    answer = preflight(hop, "/shop/v1/nothing", "PUT", APP, "authorization", "content-type")
    assert admits(answer, APP, "PUT", "authorization", "content-type")
    assert answer.headers["access-control-max-age"] == "60"
    for path, origin in (("/shop/v1/nothing", EVIL), ("/shop/v2/nothing", APP), ("/nothing", APP)):
        refused = preflight(hop, path, "PUT", origin)
        assert refused.status_code == 404
        assert not [name for name in refused.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/shop/v1/deep/a%2Fb/x", {}, 400),
        ("/shop/v1/declared", {"x_name": "1"}, 400),
        ("/shop/v1/declared", {"host": "ada@shop.test"}, 400),
        ("/shop/v1/declared", {"x-long": "a" * 20_000}, 431),
        ("/shop/v1/declared", {f"x-{number}": "1" for number in range(100)}, 431),
    ],
)
def test_broken_http_is_nobodys(hop: Hop, path: str, headers: dict[str, str], status: int) -> None:
    """No route is chosen for it, so it is a problem, in no contract's words and for no page of another origin."""
    refused = hop.client.get(path, headers={"origin": APP, **headers})
    assert (refused.status_code, _problem(refused)["status"]) == (status, status)
    assert _problem(refused)["code"] in ("bad-request", "headers-too-large")
    assert not [name for name in refused.headers if name.startswith("access-control-")]


def test_verdicts_without_a_proxy_say_the_same(hop: Hop) -> None:
    paths = ["declared", "one", "alike", "unlike", "some", "deep/a", "nothing", "", "deep/a/x"]
    with Verdicts.of(hop.folder) as verdicts:
        for path in ("/nothing", *(f"/shop/{version}/{path}" for version in ("v1", "v2") for path in paths)):
            for method in ("GET", "DELETE"):
                there, here = hop.client.request(method, path), verdicts.judge(method, path)
                assert there.status_code == here.status, (method, path)
                if here.refusal is not None:
                    assert _comparable(there.text) == _comparable(here.refusal.body.decode()), (method, path)
                    assert dict(here.refusal.headers)["content-type"] == there.headers["content-type"]


def _comparable(text: str) -> Any:
    """Without the trace, of which there is none without a proxy."""
    bare = TRACE.sub("", text)
    try:
        document = json.loads(bare)
    except ValueError:
        return bare
    return {key: value for key, value in document.items() if key not in ("trace", "traceId")}


def test_what_no_operation_can_say(hop: Hop) -> None:
    (found,) = compiled_with("errors: {not-found: {detail: x}}")
    assert (found.code, found.help) == ("extension-value", "write it in the document's root")
    (found,) = compiled_with("errors: {unknown-version: {detail: x}}")
    assert "which versions there are" in found.message
