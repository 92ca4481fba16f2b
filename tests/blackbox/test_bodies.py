"""B: bodies, and C: what they say they are."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.blackbox import http1
from tests.blackbox.case import PUBLIC, Case, item, post, request, rows
from tests.blackbox.http1 import Exchange
from tests.blackbox.world import World


def text(body: str | bytes) -> bytes:
    """POST /v1/items with a body as it is."""
    return post(body if isinstance(body, bytes) else body.encode())


def v2(path: str, value: Any, media: str = "application/json") -> bytes:
    return post(value, f"/v2/{path}", media, PUBLIC)


def nest(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "1" + closing * depth


REFUSED = {400, 413}
MILLION = 1_000_000
NFC, NFD = '"caf\\u00e9"', '"cafe\\u0301"'

JSON = [
    Case("B00-in-order", post(item()), {200, 201}),
    Case("B01", text('{"name":"a","price":1,"price":-1}'), {400}, "duplicate-key"),
    Case("B01-escaped", text('{"name":"a","price":1,"pri\\u0063e":-1}'), {400}, "duplicate-key"),
    Case("B01-nested", v2("free", b'{"a":{"b":1,"b":2}}'), {400}, "duplicate-key"),
    Case("B01-equal-values", text('{"name":"a","price":1,"price":1}'), {400}, "duplicate-key"),
    Case("B02-nan", text('{"name":"a","price":NaN}'), {400}, ("malformed-json", "number-range")),
    Case("B02-infinity", text('{"name":"a","price":Infinity}'), {400}, ("malformed-json", "number-range")),
    Case("B02-minus-infinity", text('{"name":"a","price":-Infinity}'), {400}, ("malformed-json", "number-range")),
    Case("B02-1e400", text('{"name":"a","price":1e400}'), {400}, "number-range"),
    Case("B02-1e400-anywhere", v2("free", b'[1e400]'), {400}, "number-range"),
    Case("B02-minus-zero", text('{"name":"a","price":-0}'), {200, 400}),
    Case("B02-long-integer", v2("free", b"[" + b"9" * 100_000 + b"]"), {400}, within=0.5),
    Case("B02-long-fraction", v2("free", b"[0." + b"9" * 100_000 + b"]"), {200, 400}, within=0.5),
    Case("B02-plus", text('{"name":"a","price":+1}'), {400}, "malformed-json"),
    Case("B02-leading-zero", text('{"name":"a","price":01}'), {400}, "malformed-json"),
    Case("B02-hex", text('{"name":"a","price":0x1}'), {400}, "malformed-json"),
    Case("B04-float", post(item(qty=1.0)), {200, 201}),
    Case("B04-text", post(item(qty="1")), {400}, "type", "/qty"),
    Case("B04-true", post(item(qty=True)), {400}, "type", "/qty"),
    Case("B04-fraction", post(item(qty=1.5)), {400}, "type", "/qty"),
    Case("B04-int32", post(item(qty=2**31)), {400}, pointer="/qty"),
    Case("B04-int32-edge", post(item(qty=2**31 - 1)), {200, 201}),
    Case("B05-arrays-1000", text(nest("[", "]", 1000)), {400}, "depth", within=0.5),
    Case("B05-arrays-100000", text(nest("[", "]", 100_000)), {400}, "depth", within=0.5),
    Case("B05-objects-100000", text(nest('{"a":', "}", 100_000)), {400}, "depth", within=0.5),
    Case("B05-open-100000", text("[" * 100_000), {400}, ("depth", "malformed-json"), within=0.5),
    Case("B05-where-the-schema-recurses", v2("tree", ('{"children":[' * 10_000 + "]}" * 10_000).encode()), {400}, "depth", within=0.5),
    Case("B05-where-anything-goes", v2("free", nest("[", "]", 10_000).encode()), {400}, "depth", within=0.5),
    Case("D01-depth-100", v2("tree", ('{"children":[' * 50 + "{}" + "]}" * 50).encode()), {200, 400}),
    Case("D01-depth-20", v2("tree", ('{"children":[' * 20 + "]}" * 20).encode()), {200}),
    Case("B07-keys", v2("free", b"{" + b",".join(b'"%d":1' % i for i in range(90_000)) + b"}"), {200, *REFUSED}, within=5),
    Case("B07-items", post(item(tags=["a"] * 200_000)), REFUSED, within=5),
    Case("B07-unique-objects", v2("unique", b"[" + b",".join(b'{"a":%d}' % i for i in range(80_000)) + b"]"), {200, *REFUSED}, within=5),
    Case("B07-unique-arrays", v2("unique", json.dumps([[i] for i in range(90_000)]).encode()), {200, *REFUSED}, within=5),
    Case("B07-over-the-limit", text(b'{"name":"' + b"a" * (1 << 20) + b'"}'), {413}, "body-too-large"),
    Case("B08", v2("free", json.dumps({str(i * (2**61 - 1)): 1 for i in range(20_000)}).encode()), {200, *REFUSED}, within=5),
    Case("B10-two", text('{"name":"a","price":1} {}'), {400}, "malformed-json"),
    Case("B10-garbage", text('{"name":"a","price":1}garbage'), {400}, "malformed-json"),
    Case("B10-nul-after", text('{"name":"a","price":1}\x00'), {400}, "malformed-json"),
    Case("B10-comment", text('{"name":"a",/* x */"price":1}'), {400}, "malformed-json"),
    Case("B10-line-comment", text('{"name":"a","price":1} // x'), {400}, "malformed-json"),
    Case("B10-comma", text('{"name":"a","price":1,}'), {400}, "malformed-json"),
    Case("B10-single-quotes", text("{'name':'a','price':1}"), {400}, "malformed-json"),
    Case("B10-bare-names", text("{name:1}"), {400}, "malformed-json"),
    Case("B10-control-character", text('{"name":"a\tb","price":1}'), {400}, "malformed-json"),
    Case("B10-bom", text(b"\xef\xbb\xbf" + json.dumps(item()).encode()), {400}, ("malformed-json", "malformed-text")),
    Case("B10-utf16", text(json.dumps(item()).encode("utf-16")), {400}, ("malformed-json", "malformed-text")),
    Case("B10-utf16-no-bom", text(json.dumps(item()).encode("utf-16-le")), {400}, ("malformed-json", "malformed-text")),
    Case("B10-invalid-utf8", text(b'{"name":"\xff","price":1}'), {400}, ("malformed-json", "malformed-text")),
    Case("B10-lone-surrogate", text('{"name":"\\ud800","price":1}'), {400}),
    Case("B11-empty", text(b""), {400}, "missing-body"),
    Case("B11-null", text("null"), {400}, "type"),
    Case("B11-white", text(" \r\n\t "), {400}),
    Case("B11-nothing-at-all", request("/v1/items", "POST", length=False), {400, 415}),
    Case("B13-unknown", post(item(colour="red")), {400}, "unknown-property"),
    Case("B13-proto", post(item(__proto__={"admin": True})), {400}, "unknown-property"),
    Case("B13-constructor", post(item(constructor=1)), {400}, "unknown-property"),
    Case("B13-ref", post(item(**{"$ref": "file:///etc/passwd"})), {400}, "unknown-property"),
    Case("B14", v2("account", {"id": 1, "name": "a"}), {400}),
    Case("B14-without", v2("account", {"name": "a"}), {200}),
    Case("B16-override", post(item(name="a\u202eb")), {400}, "pattern", "/name"),
    Case("B16-zero-width", post(item(name="a\u200bb")), {400}, "pattern", "/name"),
    Case("B16-newline-at-the-end", post(item(name="a\n")), {400}, "pattern", "/name"),
    Case("B16-nfc", v2("words", NFC.encode()), {200}),
    Case("B16-nfd", v2("words", NFD.encode()), {400}, "enum"),
    Case("B16-length-in-code-points", post(item(tags=["\U0001f600" * 64])), {200, 201}),
    Case("B17-email", v2("formats", {"email": "a" * 900_000 + "@"}), {400}, pointer="/email", within=1),
    Case("B17-email-ats", v2("formats", {"email": "@" * 500_000}), {400}, pointer="/email", within=1),
    Case("B17-uri", v2("formats", {"uri": "javascript:alert(1)"}), {400}, pointer="/uri"),
    Case("B17-date", v2("formats", {"date": "2026-02-30"}), {400}, pointer="/date"),
    Case("B17-ipv4", v2("formats", {"ipv4": "0177.0.0.1"}), {400}, pointer="/ipv4"),
    Case("B17-uuid", v2("formats", {"uuid": "{1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11}"}), {400}, pointer="/uuid"),
    Case("B17-uuid-urn", v2("formats", {"uuid": "urn:uuid:1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"}), {400}, pointer="/uuid"),
    Case("B17-uuid-newline", v2("formats", {"uuid": "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11\n"}), {400}, pointer="/uuid"),
    Case("B17-in-order", v2("formats", {"email": "a@b.test", "uri": "https://a.test/", "date": "2026-02-28", "ipv4": "127.0.0.1"}), {200}),
]  # fmt: skip

FORM = "application/x-www-form-urlencoded"

FORMS = [
    Case("B19-in-order", v2("form", b"a=1&b=x", FORM), {200}),
    Case("B19-twice", v2("form", b"a=1&a=2", FORM), {400}),
    Case("B19-json-inside", v2("form", b'{"a": 1}', FORM), {400}),
    Case("B19-type", v2("form", b"a=one", FORM), {400}),
    Case("B19-unknown", v2("form", b"a=1&admin=1", FORM), {400}),
    Case("B19-missing", v2("form", b"b=1", FORM), {400}),
    Case("B19-semicolon", v2("form", b"a=1;a=2", FORM), {400}),
    Case("B19-encoded-twice", v2("form", b"a=1&%61=2", FORM), {400}),
    Case("B19-not-utf8", v2("form", b"a=1&b=%ff", FORM), {400}),
]

GOOD = json.dumps(item()).encode()


def typed(*types: str, body: bytes = GOOD, more: tuple[str, ...] = ()) -> bytes:
    return request("/v1/items", "POST", headers=[*(f"Content-Type: {t}" for t in types), *more], body=body)


BOMB = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
XML = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


def _no_gzip_upstream(world: World, exchange: Exchange) -> None:
    assert exchange.status == 200


TYPES = [
    Case("C01-text", typed("text/plain"), {415}),
    Case("C01-none", typed(), {415}),
    Case("C01-utf7", typed("application/json;charset=utf-7"), {415}),
    Case("C01-utf16", typed("application/json;charset=utf-16"), {415}),
    Case("C01-list", typed("application/json, text/html"), {415}),
    Case("C01-two", typed("application/json", "text/html"), {400, 415}),
    Case("C01-two-reversed", typed("text/html", "application/json"), {400, 415}),
    Case("C01-two-equal", typed("application/json", "application/json"), {200, 400, 415}),
    Case("C01-empty", typed(""), {415}),
    Case("C01-no-slash", typed("json"), {415}),
    Case("C01-suffix", typed("application/problem+json"), {415}),
    Case("C01-range", typed("application/*"), {415}),
    Case("C01-form", typed(FORM, body=b"name=a&price=1"), {415}),
    Case("C01-two-charsets", typed("application/json;charset=utf-8;charset=utf-7"), {415}),
    Case("C01-junk-after", typed("application/json x"), {415}),
    Case("C02-case", typed("application/JSON"), {200, 201}, same_as=typed("application/json")),
    Case("C02-charset", typed('application/json ; charset="UTF-8"'), {200, 201}, same_as=typed("application/json")),
    Case("C02-other-parameter", typed("application/json;version=1"), {200, 201, 415}),
    Case("C04-declared", v2("xml", XML, "application/xml"), {400, 415}),
    Case("C04-declared-harmless", v2("xml", b"<a>1</a>", "application/xml"), {400, 415}),
    Case("C04-not-declared", typed("application/xml", body=XML), {415}),
    Case("C04-text-xml", typed("text/xml; charset=utf-8", body=XML), {415}),
    Case("C05", typed("application/json", body=BOMB, more=("Content-Encoding: gzip",)), {413, 415}),
    Case("C05-small", typed("application/json", body=gzip.compress(GOOD), more=("Content-Encoding: gzip",)), {200, 201, 415}),
    Case("C05-twice", typed("application/json", body=BOMB, more=("Content-Encoding: gzip, gzip",)), {413, 415}),
    Case("C05-unknown", typed("application/json", more=("Content-Encoding: xz",)), {415}),
    Case("C05-a-lie", typed("application/json", more=("Content-Encoding: gzip",)), {400, 415}),
    Case("C05-identity", typed("application/json", more=("Content-Encoding: identity",)), {200, 201, 415}),
    Case("C07", request("/v1/public/zipped", token=PUBLIC, headers=["Accept-Encoding: gzip"]), {200}, check=_no_gzip_upstream),
]  # fmt: skip


@rows([*JSON, *FORMS])
def test_body(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


@rows(TYPES)
def test_content_type(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


def test_b05_depth_is_refused_at_once(world: World) -> None:
    for body in (nest("[", "]", 100_000), nest('{"a":', "}", 100_000)):
        seconds = min(world.ask(text(body)).seconds for _ in range(50))  # a pause of this machine is not the gateway's
        assert seconds < 0.05, f"{body[:12]}... took {seconds:.3f} s"


@pytest.mark.slow
def test_b20_an_upload_streams_through(world: World) -> None:
    """100 MiB to an operation that says `binary`: all of it arrives, and nobody holds it."""
    before, mark, size = world.look(), world.journal.mark(), 100 << 20
    head = request(
        "/v1/upload",
        "POST",
        headers=["Content-Type: application/octet-stream", f"Content-Length: {size}"],
        length=False,
    )
    with http1.Connection(world.port, 60) as connection:
        connection.send(world.fill(head))
        for _ in range(100):
            if not connection.send(b"u" * (1 << 20)):
                break
        exchange = connection.read()
    after = world.look()
    assert exchange.status == 200, (exchange.status, exchange.end, exchange.rest[:200])
    (entry,) = world.journal.since(mark)
    assert entry.length == size
    for role, process in after.roles.items():
        assert process.rss - before.roles[role].rss < 64 << 20, f"{role} held the upload"


def test_b22_a_client_that_leaves_in_the_middle_leaves_nothing(world: World) -> None:
    """400 clients leave while they send or while they are judged, three times; connections pooled by the first round stay."""
    before, mark = world.look(), world.journal.mark()
    data, fds = world.fill(post(item())), []
    for _ in range(3):
        for cut in (len(data) - 10, len(data)):
            for _ in range(200):
                with http1.Connection(world.port) as connection:
                    connection.send(data[:cut])
        time.sleep(0.5)
        fds.append({role: p.fds for role, p in world.look().roles.items()})
    assert world.good().status == 200
    whole = [e for e in world.journal.since(mark) if e.method == "POST" and e.complete]
    assert all(e.body == json.dumps(item()).encode() for e in whole), "a part of a body reached the upstream"
    assert world.look().pids() == before.pids()
    for role, first in fds[0].items():
        assert fds[2][role] <= first + 32, f"{role} leaks descriptors: {[f[role] for f in fds]}"
