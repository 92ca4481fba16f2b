"""F: framing, HTTP/1. (HTTP/2 is in test_http2.py, the slow ones in test_patience.py.)"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.blackbox import http1
from tests.blackbox.case import CLOSE, Case, post, request, rows
from tests.blackbox.world import World

CODEC = "refused by the codec"
SMUGGLED = b"GET /v1/internal/treasure HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
JSON = "Content-Type: application/json"
BODY = b'{"name":"a","price":1}'


def framed(*headers: str | bytes, body: bytes = b"", target: str = "/v1/items", method: str = "POST") -> bytes:
    return request(target, method, headers=[JSON, *headers], body=body, length=False)


def chunked(body: bytes, *headers: str) -> bytes:
    return framed("Transfer-Encoding: chunked", *headers, body=body)


def te(value: str | bytes) -> bytes:
    coding = value.encode() if isinstance(value, str) else value
    return framed(b"Transfer-Encoding:" + coding, body=b"16\r\n" + BODY + b"\r\n0\r\n\r\n")


FRAMING = [
    Case("F01-cl-te", framed("Content-Length: 6", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), {400}, untraced=CODEC),
    Case("F01-te-cl", framed("Transfer-Encoding: chunked", "Content-Length: 4", body=b"5c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"), {400}, untraced=CODEC),
    Case("F01-te-0", framed("Transfer-Encoding: chunked", "Content-Length: 0", body=b"0\r\n\r\n" + SMUGGLED), {400}, untraced=CODEC),
    Case("F01-two-lengths", framed("Content-Length: 22", "Content-Length: 0", body=BODY + SMUGGLED), {400}, untraced=CODEC),
    Case("F01-length-list", framed("Content-Length: 22, 22", body=BODY), {CLOSE, 400}, untraced=CODEC),
    Case("F01-length-plus", framed("Content-Length: +22", body=BODY), {CLOSE, 400}, untraced=CODEC),
    Case("F01-length-minus", framed("Content-Length: -1", body=BODY), {CLOSE, 400}, untraced=CODEC),
    Case("F01-length-hex", framed("Content-Length: 0x16", body=BODY), {CLOSE, 400}, untraced=CODEC),
    Case("F01-length-huge", framed("Content-Length: 99999999999999999999", body=BODY), {CLOSE, 400, 413}, untraced=CODEC),
    Case("F02-xchunked", te(" xchunked"), {400, 501}, untraced=CODEC),
    Case("F02-identity", te(" chunked, identity"), {400, 501}, untraced=CODEC),
    Case("F02-twice", te(" chunked, chunked"), {400, 501}, untraced=CODEC),
    Case("F02-two-headers", framed("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=b"0\r\n\r\n"), {400, 501}, untraced=CODEC),
    Case("F02-vertical-tab", te(b"\x0bchunked"), {400, 501}, untraced=CODEC),
    Case("F02-tab", te(b"\tchunked"), {200, 201, 400, 501}),
    Case("F02-gzip", te(" gzip, chunked"), {400, 501}, untraced=CODEC),
    Case("F02-name-with-space", framed("Transfer-Encoding : chunked", body=b"0\r\n\r\n"), {400, 501}, untraced=CODEC),
    Case("F04-0x5", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), {CLOSE, 400}, untraced=CODEC),
    Case("F04-extension", chunked(b"16;ext=" + b"a" * 8192 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), {CLOSE, 200, 201, 400}, untraced="may be refused by the codec"),
    Case("F04-huge", chunked(b"FFFFFFFFFFFFFFFF\r\n" + b"h" * (2 << 20)), {400, 413}, untraced="may be refused by the codec"),
    Case("F04-overflow", chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), {CLOSE, 400, 413}, untraced=CODEC),
    Case("F04-negative", chunked(b"-5\r\nhello\r\n0\r\n\r\n"), {CLOSE, 400}, untraced=CODEC),
    Case("F04-bare-lf", chunked(b"16\n" + BODY + b"\n0\n\n"), {CLOSE, 400}, untraced=CODEC),
    Case("F04-bare-lf-head", b"GET /v1/items HTTP/1.1\nHost: gateway.test\n\n", {CLOSE, 400, 401}, untraced=CODEC),
    Case("F04-trailer", chunked(b"16\r\n" + BODY + b"\r\n0\r\nX-Evil: 1\r\n\r\n"), {200, 201, 400}),
    Case("F04-in-order", chunked(b"a\r\n" + BODY[:10] + b"\r\nc\r\n" + BODY[10:] + b"\r\n0\r\n\r\n"), {200, 201}),
    Case("F05-get", request("/v1/items?limit=10", body=b"unseen"), {400}, "unexpected-body"),
    Case("F05-get-chunked", request("/v1/items?limit=10", headers=["Transfer-Encoding: chunked"], body=b"6\r\nunseen\r\n0\r\n\r\n", length=False),
         {400}, "unexpected-body"),
    Case("F05-delete", request("/v1/items/1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11", "DELETE", "admin", body=b"{}"), {400}, "unexpected-body"),
    Case("F05-no-token-asked", request("/v1/public/x", token="", body=b"unseen"), {400}, "unexpected-body"),
    Case("F05-nothing-to-check", request("/zed/free", token="", body=b"unseen"), {400, 413}),
    Case("F11-websocket", request("/v1/items?limit=10", headers=["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]), {400, 403, 404, 426}, untraced=CODEC),
    Case("F11-h2c", request("/v1/items?limit=10", headers=["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]),
         {200, 400, 403, 426}),
    Case("F11-other", request("/v1/items?limit=10", headers=["Connection: Upgrade", "Upgrade: smtp"]), {200, 400, 403, 426}, untraced=CODEC),
    Case("F22-reverse", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 3, {CLOSE, 400}, untraced=CODEC),
    Case("F22-tls", bytes.fromhex("1603010200010001fc0303") + b"\0" * 400, {CLOSE, 400}, untraced=CODEC),
    Case("F22-preface-cut", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", {CLOSE, 400}, untraced=CODEC),
    Case("F-null-bytes", b"\0" * 64 + b"\r\n\r\n", {CLOSE, 400}, untraced=CODEC),
    Case("F-line-of-1-MiB", b"GET /" + b"a" * (1 << 20), {CLOSE, 400, 414, 431}, untraced=CODEC),
]  # fmt: skip


@rows(FRAMING)
def test_framing(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


@pytest.mark.parametrize("first", [
    framed("Content-Length: 6", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    te(" xchunked") + SMUGGLED,
    te(b"\x0bchunked") + SMUGGLED,
    chunked(b"0x5\r\nhello\r\n0\r\n\r\n") + SMUGGLED,
    framed("Content-Length: 22", "Content-Length: 0", body=BODY + SMUGGLED),
])  # fmt: skip
def test_f01_what_is_smuggled_is_never_answered(first: bytes, world: World) -> None:
    """At most one answer, and the connection is closed: nothing after the fault is taken for a request."""
    mark = world.journal.mark()
    with http1.Connection(world.port) as connection:
        connection.send(world.fill(first))
        exchange = connection.read(2)
    assert exchange.end in ("closed", "reset"), exchange
    assert len(exchange.answers) <= 1, exchange.answers
    assert not [e for e in world.journal.since(mark) if "treasure" in e.path]
    assert world.good().status == 200


def test_f10_pipelined_requests_are_answered_in_order(world: World) -> None:
    mark = world.journal.mark()
    good = request("/v1/items?limit=10")
    bad = request("/v1/items?limit=1000")
    with http1.Connection(world.port) as connection:
        connection.send(world.fill(good) + world.fill(bad) + world.fill(request("/v1/items?limit=11")))
        exchange = connection.read(3)
    statuses = [a.status for a in exchange.answers]
    assert statuses in ([200, 400, 200], [200, 400]), exchange
    targets = [e.target for e in world.journal.since(mark)]
    assert targets in (["/v1/items?limit=10", "/v1/items?limit=11"], ["/v1/items?limit=10"])


def test_f10_a_pipelined_fault_ends_its_connection_only(world: World) -> None:
    with http1.Connection(world.port) as other, http1.Connection(world.port) as connection:
        connection.send(
            world.fill(request("/v1/items?limit=10"))
            + b"BAD BAD BAD\r\n\r\n"
            + world.fill(request("/v1/items?limit=10"))
        )
        exchange = connection.read(3)
        assert [a.status for a in exchange.answers][:1] == [200]
        assert all(a.status == 400 for a in exchange.answers[1:])
        other.send(world.fill(request("/v1/items?limit=10")))
        assert other.read().status == 200


def test_f11_bytes_sent_with_an_upgrade_never_reach_the_upstream(world: World) -> None:
    mark = world.journal.mark()
    upgrade = request("/v1/items?limit=10", headers=["Connection: Upgrade", "Upgrade: websocket"])
    with http1.Connection(world.port, 2) as connection:
        connection.send(world.fill(upgrade) + SMUGGLED)
        exchange = connection.read(2)
    assert all(a.status != 101 for a in exchange.answers)
    assert not [e for e in world.journal.since(mark) if "treasure" in e.path]


def test_two_requests_on_one_connection_are_judged_each_on_its_own(world: World) -> None:
    with http1.Connection(world.port) as connection:
        connection.send(world.fill(request("/v1/me", token="reader")))
        assert connection.read().status == 200
        connection.send(world.fill(request("/v1/me", token="")))
        assert connection.read().status == 401
        connection.send(world.fill(request("/v1/me", token="mallory")))
        assert connection.read().status == 403
        connection.send(world.fill(post({"name": "a", "price": 1})))
        assert connection.read().status in (200, 201)
