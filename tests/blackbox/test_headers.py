"""H: methods, hosts, headers."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.blackbox import http1
from tests.blackbox.case import CLOSE, PUBLIC, Case, request, rows
from tests.blackbox.http1 import Exchange
from tests.blackbox.world import World

GOOD = "/v1/items?limit=10"
ID = "/v1/items/1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"


def get(*headers: str | bytes, target: str = GOOD, host: str = "gateway.test") -> bytes:
    return request(target, headers=headers, host=host)


def _upstream_has_none(*names: str) -> Callable[[World, Exchange], None]:
    def check(world: World, exchange: Exchange) -> None:
        if exchange.status < 400:
            entry = next(e for e in reversed(world.journal.since()) if e.header("x-probe"))
            assert not (kept := [n for n in names if entry.header(n)]), f"the upstream got {kept}"

    return check


def _own_request_id(world: World, exchange: Exchange) -> None:
    entry = next(e for e in reversed(world.journal.since()) if e.header("x-probe"))
    (told,) = entry.all("x-request-id")
    assert told != "forged", "the upstream takes the client's word for which request it is"


def _is_post(world: World, exchange: Exchange) -> None:
    if exchange.status == 200:
        entry = next(e for e in reversed(world.journal.since()) if "override" in e.path)
        assert entry.method == "POST"


def _allow(expected: set[str]) -> Callable[[World, Exchange], None]:
    def check(world: World, exchange: Exchange) -> None:
        told = {m.strip() for m in (exchange.answer.header("allow") or "").split(",")}
        assert told == expected, f"Allow is {told}"

    return check


def _no_body(world: World, exchange: Exchange) -> None:
    assert not exchange.rest, exchange.rest


def _one_header_line(world: World, exchange: Exchange) -> None:
    assert b"200" not in exchange.rest


CODEC = "refused by the codec"
PROBE = "X-Probe: 1"
MARKS = ("x-envoy-original-path", "x-envoy-original-url", "x-forwarded-client-cert", "x-sidegate-operation", "x-sidegate-claims",
         "x-sidegate-decision", "x-sidegate-trace", "x-sidegate-up-x")  # fmt: skip
FORGED = [f"{n.title()}: forged" for n in MARKS]
OVERRIDE = "/zed/override"


def override(*headers: str, target: str = OVERRIDE) -> bytes:
    return request(target, "POST", PUBLIC, headers)


HEADERS = [
    Case("H01", override("X-HTTP-Method-Override: DELETE"), {200, 400}, check=_is_post),
    Case("H01-short", override("X-Method-Override: DELETE", "X-HTTP-Method: DELETE"), {200, 400}, check=_is_post),
    Case("H01-query", override(target=f"{OVERRIDE}?_method=DELETE"), {400}),
    Case("H02-two", request("/zed/role", token=PUBLIC, headers=["X-Role: user", "X-Role: admin"]), {400, 403}),
    Case("H02-joined", request("/zed/role", token=PUBLIC, headers=["X-Role: user,admin"]), {400, 403}),
    Case(
        "H02-with-the-right-one",
        request("/zed/role", token=PUBLIC, headers=["X-Role: user", "X-Role: operator"]),
        {400, 403},
    ),
    Case("H02-alone", request("/zed/role", token=PUBLIC, headers=["X-Role: operator"]), {200}),
    Case("H04", get("X_Forwarded_For: 1.2.3.4"), {400}, untraced=CODEC),
    Case("H04-mixed", get("X-Forwarded_For: 1.2.3.4"), {400}, untraced=CODEC),
    Case("H05", get(PROBE, *FORGED), {200}, check=_upstream_has_none(*MARKS)),
    Case("H05-request-id", get(PROBE, "X-Request-Id: forged"), {200}, check=_own_request_id),
    Case("H05-digest", get("X-Sidegate-Operation: - -/-/-", target="/v1/items?limit=1000"), {400}),
    Case(
        "H05-claims",
        request("/zed/person", token="mallory", headers=["X-Sidegate-Claims-bearer: eyJzdWIiOiJhbGljZSJ9"]),
        {403},
    ),
    Case(
        "H07",
        get(
            "X-Original-URL: /v1/internal/treasure",
            "X-Rewrite-URL: /v1/internal/treasure",
            "X-Forwarded-Prefix: /v1/internal",
            "Forwarded: host=evil.test;proto=gopher",
            PROBE,
        ),
        {200},
    ),
    Case("H08-two", get("Host: evil.test"), {400}, untraced=CODEC),
    Case("H08-absolute", request("http://evil.test/v1/items?limit=10"), {200, 400, 421}),
    Case("H08-port", get(host="gateway.test:99999"), {200, 400, 421}),
    Case("H08-dot", get(host="gateway.test."), {200, 400, 421}),
    Case("H08-user", get(host="admin@gateway.test"), {400, 421}, untraced=CODEC),
    Case("H08-none", b"GET /v1/items?limit=10 HTTP/1.1\r\n\r\n", {400}, untraced=CODEC),
    Case("H08-slash", get(host="gateway.test/v1/internal"), {400, 421}, untraced=CODEC),
    Case("H10", request("good:443", "CONNECT", PUBLIC), {400, 404, 405}),
    Case("H11", request("/v1/items", "PATCH"), {405}, check=_allow({"GET", "POST"})),
    Case("H11-item", request(ID, "PUT"), {405}, check=_allow({"GET", "DELETE"})),
    Case("H11-unknown", request("/v1/items", "BREW"), {400, 405}, untraced=CODEC),
    Case("H11-lower-case", request("/v1/items", "get"), {400, 405}, untraced=CODEC),
    Case("H11-trace", request("/v1/items", "TRACE"), {400, 405}),
    Case("H11-options", request("/v1/items", "OPTIONS"), {405}, check=_allow({"GET", "POST"})),
    Case("H11-before-401", request("/v1/items", "PATCH", PUBLIC), {405}),
    Case("H13", request(GOOD, "HEAD"), {200, 405}, check=_no_body, method="HEAD"),
    Case("H14-200-headers", get(*(f"X-H{i}: 1" for i in range(200))), {431}, untraced=CODEC),
    Case("H14-64-KiB", get("X-Long: " + "a" * 65_536), {431}, untraced=CODEC),
    Case("H14-cookies", get("Cookie: " + "; ".join(f"c{i}=1" for i in range(10_000))), {431}, untraced=CODEC),
    Case("H16-fold", get("X-Role: user\r\n admin"), {200, 400}, untraced="may be refused by the codec"),
    Case(
        "H16-fold-at-once", b"GET /v1/items HTTP/1.1\r\n folded: 1\r\nHost: gateway.test\r\n\r\n", {400}, untraced=CODEC
    ),
    Case(
        "H17-bare-cr",
        get(b"X-A: a\rX-Evil: 1", PROBE),
        {200, 400},
        untraced="may be refused by the codec",
        check=_upstream_has_none("x-evil"),
    ),
    Case("H17-nul", get(b"X-A: a\x00b"), {400}, untraced=CODEC),
    Case("H17-name-with-space", get("X-A : 1"), {400}, untraced=CODEC),
    Case("H20", get("Range: bytes=" + ",".join(["0-"] * 1000)), {200, 206, 400, 416}),
    Case(
        "H22-malformed",
        request(GOOD, headers=["traceparent: 00-zz-1-x"]).replace(
            b"traceparent: 00-@trace@-00f067aa0ba902b7-01\r\n", b""
        ),
        {200},
        untraced="the trace id is a new one",
    ),
    Case("H22-baggage", get("baggage: " + "k=" + "v" * 8_000, "tracestate: ,,,=;junk"), {200}),
    Case(
        "H-bad-version", b"GET /v1/items HTTP/3.7\r\nHost: gateway.test\r\n\r\n", {CLOSE, 400, 426, 505}, untraced=CODEC
    ),
    Case("H-http-1.0", b"GET /v1/items HTTP/1.0\r\nHost: gateway.test\r\n\r\n", {CLOSE, 400, 426}, untraced=CODEC),
    Case("H-http-0.9", b"GET /v1/items\r\n", {CLOSE, 400, 426}, untraced=CODEC),
]


@rows(HEADERS)
def test_header(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


def test_h19_a_body_over_the_limit_is_refused(world: World) -> None:
    mark = world.journal.mark()
    head = request("/v1/items", "POST", headers=["Content-Type: application/json", "Expect: 100-continue"])
    head = head.replace(b"Content-Length: 0", b"Content-Length: 2097152")
    with http1.Connection(world.port, 1) as connection:
        connection.send(world.fill(head))
        exchange = connection.read()
        if not exchange.answers:  # it was told to continue: then the body is refused when it passes the limit
            connection.end = "open"
            connection.send(b"[" + b" " * 2_097_150 + b"]")
            exchange = connection.read()
    assert exchange.status == 413, exchange
    assert exchange.answer.code == "body-too-large", exchange.answer.body
    assert world.journal.since(mark) == []
    assert world.good().status == 200


def test_h22_a_trace_is_made_where_none_was_given(world: World) -> None:
    """A malformed traceparent gives a new trace; the upstream is told a well-formed one."""
    mark = world.journal.mark()
    data = request(GOOD).replace(b"00-@trace@-00f067aa0ba902b7-01", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01")
    assert world.ask(data).status == 200
    (entry,) = world.journal.since(mark)
    parent = entry.all("traceparent")
    assert len(parent) == 1, parent
    assert parent[0].split("-")[1] != "0" * 32


def test_a_405_document_is_a_problem_document(world: World) -> None:
    answer = world.ask(request("/v1/items", "PATCH")).answer
    assert answer.problem["status"] == 405
    assert json.dumps(answer.problem)
