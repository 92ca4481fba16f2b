"""The decision log: OPA's events from the companion, through a real Envoy to a real collector, with nothing secret in them."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sidecar.log_sinks import Collector as Sink
from sidecar.log_sinks import Unauthorized, authorization
from sidecar.masking import Mask, by_policy, masked
from tests.features.hop import Hop, contract, operation, serve
from tests.opa_server import OpaServer, opa_binary
from tests.projects import ADDED, SETTINGS, pets, tree
from tests.waiting import PATIENCE_S, until
from xds.compile import Compiler
from xds.settings.decision_log import DecisionLog
from xds.up.ports import free_port

__all__ = ["opa_binary"]

POLICY = """\
package svc.authz

default allow := false

allow if input.parsed_query.q[0] == "yes"

allow := {"allowed": true, "headers": {"x-a": "b"}} if input.parsed_path == ["object"]

reasons contains "not yes" if input.parsed_query.q[0] == "no"
"""
MASK = """\
package system.log

mask contains "/input/attributes/request/http/headers/x-private"

mask contains {"op": "upsert", "path": "/input/parsed_body/card", "value": "****"} if input.input.parsed_body.card

mask contains {"op": "remove", "path": "/input/nowhere"}
"""
KEY, TOKEN = "sk-very-secret-key", "Bearer not-for-the-log"
FIRST, SECOND = "first-of-the-collector", "Splunk second-of-the-collector"


class Collector:
    """What arrives, as the collector reads it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        self.status = 200
        self.wanted: str | None = None
        self.server = HTTPServer("127.0.0.1", threaded=True)
        self.server.expect_request("/logs", method="POST").respond_with_handler(self._take)
        self.server.start()

    def _take(self, request: Request) -> Response:
        if self.wanted is not None and request.headers.get("authorization") != self.wanted:
            return Response(status=401)
        if self.status == 200:
            self.heads.append({k.lower(): v for k, v in request.headers.items()})
            self.events += json.loads(gzip.decompress(request.data))
        return Response(status=self.status)

    def wait(self, found: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_S) -> dict[str, Any]:
        until(lambda: any(map(found, self.events)), lambda: f"no such event among {len(self.events)}", seconds)
        return next(filter(found, self.events))

    def of(self, trace: str) -> dict[str, Any]:
        return self.wait(lambda event: event.get("trace_id") == trace)


def _traced(number: int) -> tuple[str, dict[str, str]]:
    trace = f"{number:032x}"
    return trace, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Hop]:
    q = [{"in": "query", "name": "q", "schema": {"type": "string"}}]
    body = {"content": {"application/json": {"schema": {"type": "object"}}}}
    paths = {
        "/it": {"get": operation(parameters=q), "post": operation(parameters=q, requestBody=body)},
        "/object": {"get": operation()},
        "/keyed": {"get": operation(parameters=q, security=[{"header": []}, {"query": []}])},
    }
    document = contract(paths)
    for place, name in (("header", "X-Key"), ("query", "api_key")):
        document["components"]["securitySchemes"][place] = {"type": "apiKey", "in": place, "name": name}
    import hashlib

    keys = f"keys: [{{consumer: ada, sha256: {hashlib.sha256(KEY.encode()).hexdigest()}}}]\n"
    log = {
        "file": "logs/decisions.jsonl",
        "maxSize": "4KiB",
        "keep": 2,
        "url": f"http://127.0.0.1:{collector.server.port}/logs",
        "authorization": {"file": "secrets/token"},
        "interval": "100ms",
        "mask": ["/input/parsed_body/password"],
        "labels": {"region": "eu"},
    }
    settings = {
        "decisionLog": log,
        "security": {name: {"keys": {"file": "keys/keys.yaml"}} for name in ("header", "query")},
    }
    with serve(
        tmp_path_factory.mktemp("log"),
        document,
        policies={"authz.rego": POLICY, "../platform/log.rego": MASK},
        settings=settings,
        files={"keys/keys.yaml": keys, "secrets/token": f"{FIRST}\n"},
    ) as running:
        yield running


def test_an_event_says_what_was_decided(hop: Hop, collector: Collector) -> None:
    trace, headers = _traced(1)
    assert hop.client.get("/it?q=yes", headers=headers).status_code == 200
    event = collector.of(trace)
    assert (event["path"], event["result"]) == ("svc/authz/allow", True)
    assert event["labels"]["region"] == "eu"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", event["timestamp"])
    assert event["input"]["parsed_query"] == {"q": ["yes"]}
    assert event["input"]["sidegate"]["params"]["query"] == {"q": "yes"}
    assert event["input"]["attributes"]["request"]["http"]["method"] == "GET", "the whole input, not what is read"
    assert event["bundles"]["svc"]["revision"]
    assert event["requested_by"] == "127.0.0.1"
    assert (collector.heads[0]["content-encoding"], collector.heads[0]["content-type"]) == ("gzip", "application/json")


def test_remembered_answers_are_told_too(hop: Hop, collector: Collector) -> None:
    for number in range(2, 6):
        hop.client.get("/it?q=yes", headers=_traced(number)[1])
    events = [collector.of(_traced(number)[0]) for number in range(2, 6)]
    assert len({event["decision_id"] for event in events}) == 4


def test_denials_and_objects(hop: Hop, collector: Collector) -> None:
    trace, headers = _traced(10)
    assert hop.client.get("/it?q=no", headers=headers).status_code == 403
    assert collector.of(trace)["result"] is False
    trace, headers = _traced(11)
    assert hop.client.get("/object", headers=headers).status_code == 200
    assert collector.of(trace)["result"] == {"allowed": True, "headers": {"x-a": "b"}}


def test_what_breaks_the_contract_is_no_decision(hop: Hop, collector: Collector) -> None:
    trace, headers = _traced(12)
    assert hop.client.get("/it?unknown=1", headers=headers).status_code == 400
    after, headers = _traced(13)
    hop.client.get("/it?q=yes", headers=headers)
    collector.of(after)
    assert not [event for event in collector.events if event.get("trace_id") == trace]


def test_credentials_are_masked(hop: Hop, collector: Collector) -> None:
    trace, headers = _traced(20)
    sent = {"authorization": TOKEN, "cookie": "session=" + KEY, "x-key": KEY, "x-private": KEY, **headers}
    body = {"password": KEY, "card": KEY, "kept": 1}
    assert hop.client.post("/it?q=yes", headers=sent, json=body).status_code == 200
    event = collector.of(trace)
    http = "/input/attributes/request/http"
    assert {f"{http}/headers/{n}" for n in ("authorization", "cookie", "x-key", "x-private")} <= set(event["erased"])
    assert {"/input/parsed_body/password", f"{http}/body"} <= set(event["erased"])
    assert event["masked"] == ["/input/parsed_body/card"]
    assert event["input"]["parsed_body"] == {"card": "****", "kept": 1}
    assert KEY not in json.dumps(event)
    assert TOKEN not in json.dumps(event)


def test_a_key_in_the_query_is_masked_wherever_the_query_is(hop: Hop, collector: Collector) -> None:
    trace, headers = _traced(21)
    assert hop.client.get(f"/keyed?q=yes&api%5Fkey={KEY}&api_key={KEY}", headers=headers).status_code in (200, 401)
    trace, headers = _traced(22)
    assert hop.client.get(f"/keyed?q=yes&api_key={KEY}", headers=headers).status_code == 200
    event = collector.of(trace)
    assert KEY not in json.dumps(event)
    assert event["input"]["sidegate"]["consumer"] == "ada"
    texts = [json.dumps(each) for each in collector.events]
    assert not [text for text in texts if KEY in text]


def test_the_file_is_bounded(hop: Hop, collector: Collector) -> None:
    for number in range(100, 130):
        hop.client.get("/it?q=yes", headers=_traced(number)[1])
    collector.of(_traced(129)[0])
    folder = hop.folder / "logs"
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["decisions.jsonl", "decisions.jsonl.1", "decisions.jsonl.2"]
    assert all(path.stat().st_size <= 4096 for path in folder.iterdir())
    lines = [json.loads(line) for path in folder.iterdir() for line in path.read_text().splitlines()]
    assert all(event["path"] == "svc/authz/allow" for event in lines)


def test_the_collector_is_told_who_sends_and_a_rotation_is_noticed(hop: Hop, collector: Collector) -> None:
    """What is refused waits until the file is right; the token is in no file, dump or diagnostic of the project's."""
    trace, headers = _traced(150)
    assert hop.client.get("/it?q=yes", headers=headers).status_code == 200
    collector.of(trace)
    assert {head["authorization"] for head in collector.heads} == {f"Bearer {FIRST}"}
    collector.wanted = SECOND
    try:
        trace, headers = _traced(151)
        assert hop.client.get("/it?q=yes", headers=headers).status_code == 200
        other = hop.folder / "secrets" / "other"
        other.write_text(SECOND)
        other.replace(hop.folder / "secrets" / "token")
        collector.of(trace)
        assert collector.heads[-1]["authorization"] == SECOND
    finally:
        collector.wanted = None
    command = [sys.executable, "-m", "xds.cli", "compile", str(hop.folder)]
    dump = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert dump.returncode == 0, dump.stderr
    assert SECOND not in dump.stdout + dump.stderr
    assert SECOND not in json.dumps(collector.events)


@pytest.mark.parametrize("text", [None, b"", b" \n", b"one\ntwo", "sch\u00f6n".encode(), b"x" * 16385, b"a\0b"])
def test_without_a_token_nothing_is_sent(tmp_path: Path, text: bytes | None) -> None:
    """The reason names the file, and never shows what it holds."""
    file = tmp_path / "token"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(Unauthorized, match=r"token (cannot be read|holds no token)") as caught:
        authorization(file)
    assert not text or not text.strip() or text.decode() not in str(caught.value)


def test_events_wait_for_a_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is sent without one, and nothing is lost once there is one."""
    made = Collector()
    file = tmp_path / "token"

    async def run() -> None:
        sink = Sink(f"http://127.0.0.1:{made.server.port}/logs", 0.01, file)
        await sink.write([b'{"trace_id": "1"}'])
        async with asyncio.timeout(PATIENCE_S):
            while not caplog.records:
                await asyncio.sleep(0.01)
            assert not made.server.log
            file.write_text("late")
            while not made.events:
                await asyncio.sleep(0.01)
        await sink.close()

    try:
        asyncio.run(run())
    finally:
        made.server.stop()
    assert made.heads[0]["authorization"] == "Bearer late"
    assert not [record for record in caplog.records if "late" in record.getMessage()]


def test_a_collector_that_is_away_costs_no_request(hop: Hop, collector: Collector) -> None:
    collector.status = 503
    try:
        for number in range(200, 210):
            assert hop.client.get("/it?q=yes", headers=_traced(number)[1]).status_code == 200
    finally:
        collector.status = 200
    assert collector.of(_traced(200)[0])["result"] is True, "what waited is sent when it is back"


def test_the_members_are_those_of_opa(hop: Hop, collector: Collector, opa_binary: Path, tmp_path: Path) -> None:
    """The very input of one of our events, asked of a real OPA that writes its own."""
    trace, headers = _traced(30)
    hop.client.get("/it?q=yes", headers={**headers, "x-private": KEY})
    ours = collector.of(trace)
    (tmp_path / "p.rego").write_text(POLICY)
    (tmp_path / "m.rego").write_text(MASK)
    port = free_port()
    command = [str(opa_binary), "run", "--server", "--addr", f"127.0.0.1:{port}", "--log-level", "error",
               "--set", "decision_logs.console=true", "--set", "labels.region=eu", "p.rego", "m.rego"]  # fmt: skip
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
        try:
            theirs = _asked(
                port,
                {**ours["input"], "attributes": {"request": {"http": {"headers": {"x-private": "x"}}}}},
                tmp_path / "out",
            )
        finally:
            process.kill()
            process.wait()
    console = {"level", "msg", "time", "type"}
    extra = {"bundles", "requested_by", "trace_id", "span_id"}  # in OPA's schema, and not in this event of it
    assert theirs.keys() - console - {"erased", "masked"} <= ours.keys()
    assert ours.keys() - theirs.keys() <= extra
    for key in ours.keys() & theirs.keys():
        assert type(ours[key]) is type(theirs[key]), key
    assert (ours["path"], ours["result"]) == (theirs["path"], theirs["result"])
    assert ours["erased"][-1:] == theirs["erased"]
    assert ours["labels"].keys() == theirs["labels"].keys()
    assert ours["metrics"].keys() <= theirs["metrics"].keys()


def test_what_an_opa_server_decided_is_told_too(tmp_path: Path, collector: Collector, opa_binary: Path) -> None:
    server = OpaServer(opa_binary)
    try:
        server.put("policies/authz", POLICY)
        server.put("policies/mask", MASK)
        q = [{"in": "query", "name": "q", "schema": {"type": "string"}}]
        log = {"url": f"http://127.0.0.1:{collector.server.port}/logs", "interval": "100ms"}
        settings = {"opa": {"url": server.url}, "decisionLog": log}
        files = {"authz.rego": POLICY, "../platform/log.rego": MASK}
        with serve(
            tmp_path, contract({"/it": {"get": operation(parameters=q)}}), policies=files, settings=settings
        ) as own:
            trace, headers = _traced(40)
            sent = {"authorization": TOKEN, "x-private": KEY, **headers}
            assert own.client.get("/it?q=yes", headers=sent).status_code == 200
            event = collector.of(trace)
    finally:
        server.stop()
    assert (event["path"], event["result"]) == ("svc/authz/allow", True)
    assert KEY not in json.dumps(event)
    assert TOKEN not in json.dumps(event)


def _asked(port: int, input: Any, out: Path) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/v1/data/svc/authz/allow"
    question = urllib.request.Request(url, json.dumps({"input": input}).encode())

    def answered() -> bool:
        try:
            return bool(urllib.request.urlopen(question, timeout=PATIENCE_S).read())
        except OSError:
            return False

    def told() -> list[str]:
        return [line for line in out.read_text().splitlines() if '"Decision Log"' in line]

    until(answered, out.read_text)
    until(told, out.read_text)
    event: dict[str, Any] = json.loads(told()[0])
    return event


HTTP = "/input/attributes/request/http"
PARAMS = "/input/sidegate/params"


@pytest.mark.parametrize(
    ("pointer", "erased", "path"),
    [
        ("/input/parsed_body/pin", {"/input/parsed_body/pin", f"{HTTP}/body"}, "/it?pin=1&a=2"),
        ("/input/parsed_body", {"/input/parsed_body", f"{HTTP}/body"}, "/it?pin=1&a=2"),
        ("/input/parsed_body/other", set(), "/it?pin=1&a=2"),
        ("/input/parsed_query/pin", {"/input/parsed_query/pin", f"{PARAMS}/query/pin"}, "/it?pin=***&a=2"),
        (f"{PARAMS}/query/pin", {"/input/parsed_query/pin", f"{PARAMS}/query/pin"}, "/it?pin=***&a=2"),
        ("/input/parsed_query", {"/input/parsed_query", f"{PARAMS}/query"}, "/it"),
        (f"{HTTP}/headers/x-pin", {f"{HTTP}/headers/x-pin", f"{PARAMS}/header/x-pin"}, "/it?pin=1&a=2"),
        (f"{PARAMS}/header/x-pin", {f"{HTTP}/headers/x-pin", f"{PARAMS}/header/x-pin"}, "/it?pin=1&a=2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("said", ["settings", "rule", "remove"])
def test_what_is_masked_is_masked_wherever_it_stands(pointer: str, erased: set[str], path: str, said: str) -> None:
    http = {"path": "/it?pin=1&a=2", "body": '{"pin": 1}', "headers": {"x-pin": "1"}}
    params = {"query": {"pin": 1, "a": 2}, "header": {"x-pin": 1}}
    query = {"pin": ["1"], "a": ["2"]}
    event = {
        "input": {
            "attributes": {"request": {"http": http}},
            "parsed_body": {"pin": 1},
            "parsed_query": query,
            "sidegate": {"params": params},
        }
    }
    rules: Any = [pointer] if said == "rule" else [{"op": "remove", "path": pointer}]
    out = masked(event, Mask(own=(pointer,))) if said == "settings" else by_policy(event, rules)
    assert set(out.get("erased", ())) == erased
    assert out["input"]["attributes"]["request"]["http"]["path"] == path


def test_what_could_not_be_read_is_masked_whole() -> None:
    """Of a body that is no JSON nobody knows where in it a secret stands."""
    event = {"input": {"attributes": {"request": {"http": {"body": '{"pin": 1'}}}, "parsed_body": None}}
    assert masked(event, Mask(own=("/input/parsed_body/pin",)))["erased"] == [f"{HTTP}/body"]


def test_masks_change_nothing_in_place() -> None:
    inner = {"a": {"b": 1}, "list": [{"k": 1}, 2]}
    event = {"input": inner, "result": True}
    out = masked(event, Mask(("/input/a/b", "/input/list/0/k", "/input/x/y", "/result")))
    assert out == {"input": {"a": {}, "list": [{}, 2]}, "erased": ["/input/a/b", "/input/list/0/k", "/result"]}
    assert inner == {"a": {"b": 1}, "list": [{"k": 1}, 2]}


@pytest.mark.parametrize(
    "rules", [True, "x", {"a": 1}, [1], ["/labels"], [{"op": "add", "path": "/input"}], [{"op": "remove"}]]
)
def test_what_is_no_mask_is_refused(rules: Any) -> None:
    with pytest.raises(ValueError, match="mask"):
        by_policy({"input": {}}, rules)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{}", "names a place"),
        ("{console: maybe}", "`console` is true or false"),
        ("{url: 'ftp://x'}", "is a URL"),
        ("{url: 'http://user:pw@x'}", "without user"),
        ("{url: 'http://x', authorization: s3cret}", "names the `file`"),
        ("{url: 'http://x', authorization: {file: a, token: b}}", "names the `file`"),
        ("{console: true, authorization: {file: a}}", "there is no `url`"),
        ("{console: true, mask: [/labels]}", "begins with /input"),
        ("{console: true, mask: /input}", "list of texts"),
        ("{console: true, drop: denied}", "refusals are always told"),
        ("{file: x, maxSize: 1}", "is a size"),
        ("{file: x, keep: 0}", "number of files"),
        ("{console: true, interval: 0s}", "is a duration"),
        ("{console: true, labels: {a: 1}}", "a label is a text"),
        ("{consol: true}", "unknown key"),
    ],
)
def test_bad_settings_have_a_place(written: str, said: str) -> None:
    found = Compiler().compile(tree(pets(settings=f"{SETTINGS}decisionLog: {written}\n"))).diagnostics
    (one, *_) = [d for d in found if said in d.message]
    assert one.span
    assert (one.span.file, one.span.line) == ("sidegate.yaml", ADDED)


def test_what_settings_mean() -> None:
    written = "{console: true, drop: allowed, mask: [/input/a], labels: {a: b}, maxSize: 1MiB}"
    settings = Compiler().compile(tree(pets(settings=f"{SETTINGS}decisionLog: {written}\n"))).settings
    expected = DecisionLog(console=True, allowed=False, mask=("/input/a",), labels=(("a", "b"),), size=1 << 20)
    assert settings.decision_log == expected
