"""`errors`: refusals in the contract's words, by code or status, whoever refuses: Envoy, the companion, or the service."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with

TRACE = re.compile(r"[0-9a-f]{32}")

OWN = {
    "error": {"code": "${code}", "message": "${detail}", "at": "${operationId}"},
    "trace": "${traceId}",
    "n": "${status}",
}
ERRORS: dict[str, Any] = {
    "token-missing": {
        "title": "Log in",
        "detail": "Say who you are, 100% of the time.",
        "members": {"docs": "https://d"},
    },
    "body-too-large": {"body": OWN},
    "400": {"body": {"codes": "${errors}", "why": 'no "good": ${detail}'}, "mediaType": "application/vnd.x+json"},
    "service-error": {"body": OWN, "mediaType": "application/json"},
    "default": {"body": "<e code='${code}'>${detail} & ${traceId}</e>", "mediaType": "application/xml"},
}
LISTED = {"body": "<p>${code}: ${errors}</p>", "mediaType": "text/html"}
APP = "https://app.example.com"
ENDING = {
    "deprecated": "2024-01-01",
    "migration": "https://docs.example/100%25",
    "successor": "https://next.example/v2",
}
POLICY = """\
package svc.authz

default allow := false

allow if not input.attributes.request.http.headers["x-denied"]

reasons contains "not <you>" if input.attributes.request.http.headers["x-denied"]
"""


def _failing(request: Request) -> Response:
    if request.headers.get("x-slow"):
        time.sleep(4)
    status = int(request.headers.get("x-status", "200"))
    return Response("Traceback: secret.py line 3", status, {"x-powered-by": "PHP"}, content_type="text/html")


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    text = {"required": True, "content": {"text/plain": {"schema": {"type": "string", "maxLength": 5}}}}
    too_large = {"description": "large", "content": {"application/json": {}}}
    responses = {"200": {"description": "ok"}, "413": too_large}
    own = {"errors": ERRORS, "bodyLimit": "1KiB", "timeout": "2s"}
    headers = {"x-denied": "1", "x-status": "1", "x-slow": "1"}
    said = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in headers]
    post = operation(responses=responses, requestBody=text, x_sidegate=own, operationId="say", parameters=said)
    trouble = {"errors": {"service-error": {"detail": "Try later."}}}
    paths = {
        "/worded": {"post": post},
        "/secret": {"get": operation(security=[{"bearer": []}], x_sidegate={"errors": ERRORS})},
        "/loose": {"post": operation(requestBody=text, x_sidegate={**own, "mode": "off"})},
        "/listed": {"get": operation(security=[{"bearer": []}], x_sidegate={"errors": {"default": LISTED}})},
        "/plain": {"get": operation(x_sidegate={"timeout": "2s"})},
        **{
            f"/read{name}": {"get": operation(parameters=[said[1]], x_sidegate={**trouble, **more})}
            for name, more in {
                "": {"cors": {"origins": [APP], "credentials": True, "expose": ["x-total"]}},
                "-by-many": {"cors": {"origins": ["https://*.shop.example", APP]}},
                "-by-all": {"cors": {"origins": ["*"]}},
                "-by-none": {},
                "-cached": {"cors": {"origins": [APP]}, "cache": {"ttl": "1m", "shared": True}, "deprecated": True},
            }.items()
        },
        "/ending": {
            "get": operation(parameters=[said[1]], x_sidegate={**trouble, **ENDING}, **{"x-sunset": "2099-01-01"})
        },
    }
    serving = serve(
        tmp_path_factory.mktemp("errors"), contract(paths), answer=_failing, policies={"authz.rego": POLICY}
    )
    with serving as running:
        yield running


def _post(hop: Hop, body: bytes = b"ok", path: str = "/worded", **headers: str) -> httpx.Response:
    sent = {"content-type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return hop.client.post(path, content=body, headers=sent)


def test_what_is_said_of_a_problem_is_put_into_its_document(hop: Hop) -> None:
    refused = hop.client.get("/secret")
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    document = refused.json()
    assert TRACE.fullmatch(document.pop("traceId"))
    assert document == {
        "type": "about:blank", "title": "Log in", "status": 401, "code": "token-missing", "operationId": "get_secret",
        "version": "v1",
        "detail": "Say who you are, 100% of the time.", "errors": [], "docs": "https://d",
    }  # fmt: skip
    assert refused.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/worded", "/loose"])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_body_of_its_own_from_envoy(hop: Hop, path: str, announced: bool) -> None:
    """In the media type that the contract declares for the status; where it declares none, a problem's."""
    kind = {"content-type": "text/plain"}
    content: Any = b"x" * 1025 if announced else iter([b"x" * 1025])
    refused = hop.client.post(path, content=content, headers=kind)
    declared = "application/json" if path == "/worded" else "application/problem+json"
    assert (refused.status_code, refused.headers["content-type"]) == (413, declared)
    document = refused.json()
    assert TRACE.fullmatch(document["trace"])
    assert (document["error"]["code"], document["n"]) == ("body-too-large", 413)


def test_a_status_from_the_companion(hop: Hop) -> None:
    refused = _post(hop, b"too long")
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/vnd.x+json")
    assert [each["code"] for each in refused.json()["codes"]] == ["max-length"]
    assert refused.json()["why"].startswith('no "good": must')
    assert "x-sidegate-code" not in refused.headers


def test_all_others_are_text(hop: Hop) -> None:
    """A policy's denial comes from the companion, a late answer from Envoy."""
    denied = _post(hop, x_denied="1")
    assert (denied.status_code, denied.headers["content-type"]) == (403, "application/xml")
    assert re.fullmatch(r"<e code='policy-denied'>not &lt;you&gt; & [0-9a-f]{32}</e>", denied.text)
    late = _post(hop, x_slow="1")
    assert (late.status_code, late.headers["content-type"]) == (504, "application/xml")
    assert re.fullmatch(
        r"<e code='upstream-timeout'>The service did not answer in time\. & [0-9a-f]{32}</e>", late.text
    )


@pytest.mark.parametrize("status", [500, 503])
def test_the_services_own_trouble_is_not_shown(hop: Hop, status: int) -> None:
    failed = _post(hop, x_status=str(status))
    assert (failed.status_code, failed.headers["content-type"]) == (status, "application/json")
    document = failed.json()
    assert (document["error"]["code"], document["n"]) == ("service-error", status)
    assert TRACE.fullmatch(document["trace"])
    assert "secret" not in failed.text
    assert "x-powered-by" not in failed.headers


@pytest.mark.parametrize(
    ("path", "origin", "allowed"),
    [
        ("/read", APP, True),
        ("/read", "https://app.example.com.evil", False),
        ("/read", "https://appXexample.com", False),
        ("/read-by-many", "https://a.shop.example", True),
        ("/read-by-many", "https://shop.example.evil", False),
        ("/read-by-all", "https://evil.example", True),
        ("/read-by-none", APP, False),
        ("/read-cached", APP, True),
        ("/read-cached", "https://evil.example", False),
    ],
)
def test_what_stands_in_its_place_is_read_by_the_pages_that_read_others(
    hop: Hop, path: str, origin: str, allowed: bool
) -> None:
    good, failed = (hop.client.get(path, headers={"origin": origin, "x-status": status}) for status in ("200", "500"))
    assert (good.status_code, failed.status_code, failed.json()["code"]) == (200, 500, "service-error")
    family = [{n: v for n, v in a.headers.items() if n.startswith("access-control-")} for a in (good, failed)]
    assert family[0] == family[1]
    assert (family[1].get("access-control-allow-origin") == origin) is allowed
    assert [("origin" in a.headers.get("vary", "")) for a in (good, failed)] == [path != "/read-by-none"] * 2
    assert failed.headers.get_list("x-content-type-options") == ["nosniff"]
    assert failed.headers.get("deprecation") == good.headers.get("deprecation")


def test_and_says_what_is_going_away(hop: Hop) -> None:
    good, failed = (hop.client.get("/ending", headers={"x-status": status}) for status in ("200", "503"))
    assert (failed.status_code, failed.json()["detail"]) == (503, "Try later.")
    for name in ("deprecation", "sunset"):
        assert failed.headers[name] == good.headers[name]
    links = [", ".join(answer.headers.get_list("link")) for answer in (good, failed)]
    assert links[0] == links[1]
    assert 'rel="successor-version"' in links[1]
    assert "100%25>" in links[1]


def test_what_the_service_says_otherwise_stays(hop: Hop) -> None:
    answer = _post(hop, x_status="404")
    assert (answer.status_code, answer.text) == (404, "Traceback: secret.py line 3")


def test_others_are_worded_as_ever(hop: Hop) -> None:
    late = hop.client.get("/plain", headers={"x-slow": "1"})
    assert (late.status_code, late.json()["code"]) == (504, "upstream-timeout")
    assert hop.client.get("/plain", headers={"x-status": "500"}).text.startswith("Traceback")
    assert hop.client.get("/nothing").json()["code"] == "not-found"
    assert hop.client.put("/plain").json()["code"] == "method-not-allowed"
    assert hop.client.get("/worded").text.startswith("<e code='method-not-allowed'>")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("errors: {body-to-large: {detail: x}}", "no refusal has the code `body-to-large`"),
        ("errors: {not-found: {detail: x}}", "no operation has the path"),
        ("errors: {default: {detail: '${subject}'}}", "no placeholder `${subject}`"),
        ("errors: {default: {body: {a: 1}, mediaType: text/plain}}", "is a text"),
        ("errors: {default: {body: {a: 1}, title: x}}", "no problem document to put words into"),
        ("errors: {default: {body: '${traceId}${traceId}'}}", "one place only"),
        ("errors: {'200': {detail: x}}", "no refusal has the status 200"),
        ("errors: {'4XX': {detail: x}}", "does not match"),
    ],
)
def test_bad_settings_have_a_place(written: str, said: str) -> None:
    (found,) = compiled_with(written)
    assert found.code == "extension-value"
    assert said in found.message
    assert found.span is not None
    assert found.span.line == 9


def test_violations_are_listed_in_a_text(hop: Hop) -> None:
    """A text has room for one line of them, quoted; nothing stands there where the gateway refuses for another reason."""
    token = {"authorization": f"Bearer {hop.issuer.token()}"}
    answer = hop.client.get("/listed", params={"<i>": "1", "b": "2"}, headers=token)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html")
    first, second = (
        "query /&lt;i&gt; is not a parameter of this operation",
        "query /b is not a parameter of this operation",
    )
    assert answer.text == f"<p>unknown-parameter: {first}; {second}</p>"
    answer = hop.client.get("/listed")
    assert (answer.status_code, answer.text) == (401, "<p>token-missing: </p>")
