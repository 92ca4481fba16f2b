"""F: framing, HTTP/2, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import hyperframe.frame as frames
import pytest

from tests.blackbox import http1, http2
from tests.blackbox.case import item
from tests.blackbox.http2 import Header, literal, request
from tests.blackbox.world import World
from tests.e2e.journal import TREASURE
from tests.waiting import PATIENCE_S

GOOD = "/v1/items?limit=10"


@pytest.fixture
def connection(world: World) -> Iterator[http2.Connection]:
    """A connection whose case ends with O1, O3 and O8, whatever it did."""
    before, mark = world.look(), world.journal.mark()
    with http2.Connection(world.port) as opened:
        yield opened
        assert all(TREASURE not in s.body for s in opened.streams.values()), "O1"
    assert not [e for e in world.journal.since(mark) if "treasure" in e.path], "O1"
    assert world.good().status == 200, "O3"
    assert world.look().pids() == before.pids(), "O3"
    assert not any(world.failures().values()), "O8"


def fields(world: World, *more: Header) -> list[Header]:
    return request(GOOD, world.tokens["reader"], "GET", *more)


def refused(connection: http2.Connection, number: int = 1) -> None:
    """Reset, GOAWAY, or an answer of 400."""
    stream = connection.answer(number, 3)
    fine = stream.reset is not None or connection.goaway is not None or connection.closed or stream.status in (400, 404)
    assert fine, (stream, connection.sent)


def test_in_order(world: World, connection: http2.Connection) -> None:
    connection.headers(1, fields(world))
    assert connection.answer(1).status == 200


def test_a_refusal_is_a_problem_document(world: World, connection: http2.Connection) -> None:
    connection.headers(1, request("/v1/items?limit=1000", world.tokens["reader"]))
    stream = connection.answer(1)
    assert stream.status == 400
    assert ("content-type", "application/problem+json") in stream.headers


FAULTS: dict[str, list[Header]] = {
    "no-method": [(":scheme", "http"), (":authority", "g"), (":path", GOOD)],
    "no-path": [(":method", "GET"), (":scheme", "http"), (":authority", "g")],
    "no-scheme": [(":method", "GET"), (":authority", "g"), (":path", GOOD)],
    "path-twice": [*request(GOOD), (":path", "/v1/internal/treasure")],
    "path-twice-at-once": [(":path", "/v1/internal/treasure"), *request(GOOD)],
    "after-regular": [(":method", "GET"), (":scheme", "http"), ("accept", "*/*"), (":authority", "g"), (":path", GOOD)],
    "unknown": [*request(GOOD), (":evil", "1")],
    "status-in-a-request": [(":status", "200"), *request(GOOD)],
    "upper-case": [*request(GOOD), ("X-Upper", "1")],
    "connection": [*request(GOOD), ("connection", "keep-alive")],
    "keep-alive": [*request(GOOD), ("keep-alive", "1")],
    "transfer-encoding": [*request(GOOD), ("transfer-encoding", "chunked")],
    "te": [*request(GOOD), ("te", "gzip")],
    "empty-path": [(":method", "GET"), (":scheme", "http"), (":authority", "g"), (":path", "")],
    "relative-path": request("v1/internal/treasure"),
    "path-with-space": request("/v1/items HTTP/1.1\r\nx: y"),
    "path-with-fragment": request("/v1/internal/treasure#/v1/items"),
    "empty-name": [*request(GOOD), ("", "1")],
    "name-with-space": [*request(GOOD), ("x evil", "1")],
    "name-with-colon": [*request(GOOD), ("x:evil", "1")],
    "name-with-newline": [*request(GOOD), ("x\r\nevil", "1")],
    "value-with-crlf": [*request(GOOD), ("x-a", "b\r\nx-evil: 1")],
    "value-with-lf": [*request(GOOD), ("x-a", "b\nx-evil: 1")],
    "value-with-nul": [*request(GOOD), ("x-a", "b\0c")],
    "authority-with-crlf": [(":method", "GET"), (":scheme", "http"), (":authority", "g\r\nx: y"), (":path", GOOD)],
    "method-with-space": [(":method", "GET /v1/internal/treasure HTTP/1.1\r\n"), *request(GOOD)[1:]],
    "connect-without-path": [(":method", "CONNECT"), (":authority", "good:443")],
    "extended-connect": [(":method", "CONNECT"), (":protocol", "websocket"), *request(GOOD)[1:]],
    "underscore": [*request(GOOD), ("x_forwarded_for", "1.2.3.4")],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_f13_h10_h17_faults_of_the_head(fault: str, world: World, connection: http2.Connection) -> None:
    mark = world.journal.mark()
    token = ("authorization", f"Bearer {world.tokens['reader']}")
    headers = FAULTS[fault]
    connection.headers(1, headers if fault == "unknown" else [*headers, token])
    stream = connection.answer(1, 3)
    statuses = (400, 403, 404, 405) if "connect" in fault else (400, 404)
    over = stream.reset is not None or connection.goaway is not None or connection.closed
    assert over or stream.status in statuses, (stream, connection.sent)
    assert world.journal.since(mark) == [], "O2"


def test_f11_no_connection_is_told_of_websockets(connection: http2.Connection) -> None:
    """SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441, section 3): browsers that see it no longer use HTTP/1.1 for them."""
    assert connection.until(lambda: 3 in connection.peer, PATIENCE_S)
    assert not connection.peer.get(8)


def test_h08_host_and_authority_differ(world: World, connection: http2.Connection) -> None:
    mark = world.journal.mark()
    connection.headers(1, fields(world, ("host", "evil.test")))
    stream = connection.answer(1)
    if stream.status == 200:
        (entry,) = world.journal.since(mark)
        assert entry.all("host") == ["gateway.test"]
        assert entry.header("x-policy-host") == "gateway.test"
    else:
        assert stream.reset is not None or stream.status in (400, 421)


def test_content_length_that_lies(world: World, connection: http2.Connection) -> None:
    mark = world.journal.mark()
    head = request(
        "/v1/items", world.tokens["reader"], "POST", ("content-type", "application/json"), ("content-length", "5")
    )
    connection.headers(1, head, end=False)
    connection.data(1, b'{"name":"a","price":1}')
    refused(connection)
    assert world.journal.since(mark) == []


def test_a_body_in_frames_is_judged_whole(world: World, connection: http2.Connection) -> None:
    import json

    body = json.dumps(item(price=-1)).encode()
    connection.headers(
        1, request("/v1/items", world.tokens["reader"], "POST", ("content-type", "application/json")), end=False
    )
    for at in range(len(body)):
        connection.data(1, body[at : at + 1], end=False)
    connection.data(1, b"")
    assert connection.answer(1).status == 400


def test_f17_trailers_without_end_stream(world: World, connection: http2.Connection) -> None:
    head = request("/v1/items", world.tokens["reader"], "POST", ("content-type", "application/json"))
    connection.headers(1, head, end=False)
    connection.data(1, b"{}", end=False)
    connection.headers(1, [("x-trailer", "1")], end=False)
    refused(connection)


def test_f17_trailers_with_pseudo_headers(world: World, connection: http2.Connection) -> None:
    mark = world.journal.mark()
    connection.headers(
        1, request("/v1/items", world.tokens["reader"], "POST", ("content-type", "application/json")), end=False
    )
    connection.data(1, b'{"name":"a","price":1}', end=False)
    connection.headers(1, [(":path", "/v1/internal/treasure")])
    refused(connection)
    assert world.journal.since(mark) == []


def test_f17_continuation_flood(world: World, connection: http2.Connection) -> None:
    before = world.look()
    connection.send(frames.HeadersFrame(1, data=literal(request(GOOD)), flags=["END_STREAM"]))
    frame = frames.ContinuationFrame(1, data=literal([("x-flood", "f" * 16_000)])).serialize()
    for _ in range(2_000):
        if not connection.raw(frame):
            break
    connection.until(lambda: connection.closed or connection.goaway is not None or connection.stream(1).done, 3)
    assert connection.closed or connection.goaway is not None or connection.stream(1).done
    after = world.look()
    assert after.roles["envoy"].rss - before.roles["envoy"].rss < 64 << 20, "O4"


def test_f17_empty_continuations(world: World, connection: http2.Connection) -> None:
    connection.send(frames.HeadersFrame(1, data=b"", flags=["END_STREAM"]))
    frame = frames.ContinuationFrame(1, data=b"").serialize()
    for _ in range(20_000):
        if not connection.raw(frame):
            break
    assert connection.until(lambda: connection.closed or connection.goaway is not None, 3)


def test_f17_10000_host_headers(world: World, connection: http2.Connection) -> None:
    block = literal([*request(GOOD, world.tokens["reader"]), *[("host", "evil.test")] * 700])
    connection.headers(1, [], block=block)
    refused(connection)


@pytest.mark.parametrize("index", [0, 62, 5_000, 1 << 30])
def test_f16_an_index_that_does_not_exist(index: int, connection: http2.Connection) -> None:
    coded = bytearray(http2._integer(index, 7))
    coded[0] |= 0x80
    connection.headers(1, [], block=bytes(coded))
    refused(connection)


def test_f16_cookie_crumbs(world: World, connection: http2.Connection) -> None:
    """One crumb in the dynamic table, referred to again and again: a small frame that decodes to a large header."""
    before = world.look()
    value = b"c" * 3_900
    first = b"\x40" + http2._text("cookie") + http2._text(value)
    for number in range(1, 41, 2):
        connection.headers(
            number, [], block=literal(request(GOOD)) + (first if number == 1 else b"\xbe") + b"\xbe" * 4_000
        )
    connection.until(lambda: connection.closed or connection.goaway is not None or connection.stream(39).done, 3)
    statuses = {s.status for s in connection.streams.values() if s.status}
    assert statuses <= {400, 431}, statuses
    assert world.look().roles["envoy"].rss - before.roles["envoy"].rss < 64 << 20, "O4"


def test_f20_one_stream_too_many(world: World, connection: http2.Connection) -> None:
    """Streams over the announced limit are refused. Envoy's codec ends the connection of a peer that does not count.

    That is allowed (RFC 9113, section 5.1.2, with 5.4.1), though REFUSED_STREAM would be kinder.
    """
    connection.until(lambda: 3 in connection.peer)
    limit = connection.peer[3]
    assert limit <= 100
    head = request("/v1/items", world.tokens["reader"], "POST", ("content-type", "application/json"))
    for number in range(1, 2 * limit + 3, 2):
        connection.headers(number, head, end=False)
    last = connection.answer(2 * limit + 1, 3)
    assert last.reset == 7 or connection.goaway is not None or connection.closed, last
    if last.reset == 7 and not connection.closed:
        connection.data(1, b'{"name":"a","price":1}')
        assert connection.answer(1).status == 200


PASSED_OVER = ("data-on-an-idle-stream", "stream-depends-on-itself-then-nothing", "window-of-0", "push-promise")
"""What Envoy's codec ignores where RFC 9113 asks for an error. Nothing comes of it: no stream, no request."""


@pytest.mark.parametrize(("name", "frame"), {
    "data-on-stream-0": b"\0\0\1\0\0\0\0\0\0x",
    "headers-on-stream-0": b"\0\0\1\1\5\0\0\0\0\x82",
    "headers-on-an-even-stream": b"\0\0\1\1\5\0\0\0\2\x82",
    "data-on-an-idle-stream": b"\0\0\1\0\0\0\0\0\7x",
    "settings-of-odd-length": b"\0\0\5\4\0\0\0\0\0xxxxx",
    "window-of-0": b"\0\0\4\x08\0\0\0\0\0\0\0\0\0",
    "window-overflow": b"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff" * 2,
    "ping-of-odd-length": b"\0\0\7\6\0\0\0\0\0xxxxxxx",
    "push-promise": b"\0\0\5\5\4\0\0\0\1\0\0\0\2\x82",
    "frame-too-large": b"\x7f\xff\xff\0\0\0\0\0\1",
    "continuation-alone": b"\0\0\1\x09\4\0\0\0\1\x82",
    "padding-longer-than-the-frame": b"\0\0\2\1\x0d\0\0\0\1\xff\x82",
    "stream-depends-on-itself-then-nothing": b"\0\0\5\2\0\0\0\0\1\0\0\0\1",
}.items())  # fmt: skip
def test_f17_broken_frames(name: str, frame: bytes, world: World, connection: http2.Connection) -> None:
    connection.raw(frame)
    ended = connection.until(
        lambda: connection.closed or connection.goaway is not None or connection.stream(1).done,
        0.3 if name in PASSED_OVER else 5,
    )
    assert ended or name in PASSED_OVER, name


@pytest.mark.parametrize("flood", ["settings", "ping"])
def test_f17_control_frame_floods(flood: str, world: World, connection: http2.Connection) -> None:
    frame = (
        frames.SettingsFrame(0, settings={3: 1})
        if flood == "settings"
        else frames.PingFrame(0, opaque_data=b"12345678")
    )
    data = frame.serialize() * 500
    for _ in range(60):
        if not connection.raw(data):
            break
    connection.until(lambda: connection.closed or connection.goaway is not None, 1)


def test_f19_a_reader_with_a_closed_window(world: World) -> None:
    """A hundred answers of 10 MiB that nobody takes: what is held is bounded by windows, not by answers."""
    before = world.look()
    with http2.Connection(world.port, settings={4: 0}) as connection:
        for number in range(1, 201, 2):
            connection.headers(number, request("/v1/public/big"))
        connection.until(lambda: False, 2)
        after = world.look()
    assert after.pids() == before.pids()
    grown = after.roles["envoy"].rss - before.roles["envoy"].rss
    assert grown < 64 << 20, f"O4: envoy grew by {grown >> 20} MiB"
    assert world.good().status == 200


def test_f22_an_http1_client_that_speaks_http2_late(world: World) -> None:
    with http1.Connection(world.port) as connection:
        connection.send(world.fill(b"GET /v1/items?limit=10 HTTP/1.1\r\nHost: g\r\n\r\n") + http2.PREFACE)
        exchange = connection.read(2)
    assert exchange.end in ("closed", "reset") or len(exchange.answers) == 2
    assert world.good().status == 200
