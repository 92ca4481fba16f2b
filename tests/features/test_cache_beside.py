"""`cache` beside other features: each does what it does without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cache import kept
from tests.projects import compiled_with

SHARED = {"ttl": "60s", "shared": True}
WORDED = {
    "upstream-timeout": {"body": {"own": "late"}, "mediaType": "application/json"},
    "service-error": {"body": {"own": "broken"}, "mediaType": "application/json"},
}
MERGE = {"route": {"timeout": "0.3s"}, "response_headers_to_add": [{"header": {"key": "x-p", "value": "1"}}]}
HELD = {"response_headers_to_add": [{"header": {"key": "x-p", "value": "1"}}]}
PATCHES = [
    {"name": "hurry", "resource": "route", "match": "svc/v1/get_patched", "merge": MERGE},
    {"name": "held", "resource": "route", "match": "svc/v1/get_held", "merge": HELD},
]


def _answer(request: Request) -> Response:
    if "x-sleep" in request.headers:
        time.sleep(float(request.headers["x-sleep"]))
    if request.path == "/events":
        return Response(iter(["data: 1\n\n"]), 200, content_type="text/event-stream")
    return Response(f"{time.monotonic_ns()}", int(request.headers.get("x-status", "200")), content_type="text/plain")


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    events = {"200": {"description": "ok", "content": {"text/event-stream": {}}}}
    paths: dict[str, Any] = {
        "/moved": {"get": operation(x_sidegate={"redirect": {"to": "/kept"}})},
        "/socket": {"get": operation(x_sidegate={"upgrade": "websocket"})},
        "/events": {"get": operation(responses=events)},
        "/kept": {"get": operation()},
        "/patched": {"get": operation()},
        "/held": {"get": operation()},
        "/worded": {"get": operation(x_sidegate={"errors": WORDED, "timeout": "2s"})},
    }
    document = contract(paths, **{"x-sidegate": {"cache": SHARED}})
    with serve(tmp_path_factory.mktemp("beside"), document, answer=_answer, settings={"patches": PATCHES}) as running:
        yield running


def test_a_redirect_is_one(hop: Hop) -> None:
    answer = hop.client.get("/moved")
    assert (answer.status_code, answer.headers["location"].endswith("/kept")) == (308, True)


def test_what_changes_protocols_reaches_the_service(hop: Hop) -> None:
    """The service takes no WebSocket; the gateway does not refuse one."""
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    before = len(hop.server.log)
    assert (
        hop.client.get("/socket", headers={**headers, "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="}).status_code
        != 403
    )
    assert len(hop.server.log) == before + 1


def test_an_event_stream_is_not_kept(hop: Hop) -> None:
    before = len(hop.server.log)
    for _ in range(2):
        assert hop.client.get("/events").text == "data: 1\n\n"
    assert len(hop.server.log) == before + 2


def test_a_patched_route_is_patched_on_a_miss(hop: Hop) -> None:
    late = hop.client.get("/patched", headers={"x-sleep": "1"})
    assert (late.status_code, late.json()["code"]) == (504, "upstream-timeout")


def test_a_patch_is_merged_once(hop: Hop) -> None:
    first = hop.client.get("/held")
    assert (first.status_code, first.headers.get_list("x-p")) == (200, ["1"])
    again = kept(hop, "/held")
    assert (again.text, again.headers.get_list("x-p")) == (hop.client.get("/held").text, ["1"])


def test_a_miss_that_is_late_is_worded(hop: Hop) -> None:
    answer = hop.client.get("/worded", headers={"x-sleep": "4"})
    assert (answer.status_code, answer.headers["content-type"]) == (504, "application/json")
    assert answer.json() == {"own": "late"}


def test_a_service_that_fails_is_worded_on_a_miss(hop: Hop) -> None:
    answer = hop.client.get("/worded", headers={"x-status": "503"})
    assert (answer.status_code, answer.json()) == (503, {"own": "broken"})
    answer = hop.client.get("/worded", headers={"x-status": "404"})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/plain")


@pytest.mark.parametrize("other", ["redirect: {to: /elsewhere}", "upgrade: websocket"])
def test_what_cannot_be_kept_is_said(other: str) -> None:
    found = compiled_with(f"cache: {{ttl: 60s}}, {other}")
    assert any("is not kept" in each.message for each in found), found
