"""What `sidegate up` says: a taken port, a second run, refusals as lines, requests to try."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from tests.cli.command import sidegate
from xds.address import Address
from xds.control.events import Diagnosed, Live, PolicyLive
from xds.dev import Dev, DevProcess, Try, parse_dev
from xds.failure import CannotRun
from xds.terminal import Palette
from xds.up.banner import curl
from xds.up.keys import Keys
from xds.up.lines import line_of, refusal
from xds.up.parts import collector
from xds.up.ports import free_port, require_free

PLAIN = Palette(False)


@pytest.mark.skipif(sys.platform != "linux", reason="who holds a port is read from /proc")
def test_a_taken_port_names_its_holder_and_the_next_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(CannotRun) as refused:
            require_free(Address("127.0.0.1", port), "the gateway's address", "sidegate up --listen 127.0.0.1:1")
    text = str(refused.value)
    assert text.startswith(f"127.0.0.1:{port} (the gateway's address) is taken, by process {os.getpid()} (")
    assert text.endswith(". Next: sidegate up --listen 127.0.0.1:1")


def test_a_free_port_is_free() -> None:
    require_free(Address("127.0.0.1", free_port()), "x", "y")


def test_up_cannot_run_without_a_project(tmp_path: Path) -> None:
    done = sidegate("up", cwd=tmp_path)
    assert done.returncode == 3
    assert "Next: sidegate init . --service NAME" in done.stderr
    (tmp_path / "api.yaml").write_text("openapi: 3.0.3")
    assert "Next: sidegate up api.yaml --upstream" in sidegate("up", "api.yaml", cwd=tmp_path).stderr


def test_a_refusal_is_one_line_with_its_place() -> None:
    record = {
        "status": 403,
        "method": "DELETE",
        "path": "/catalog/v1/items/7",
        "mode": "enforce",
        "code": "policy-denied",
        "reason": "scope items:admin missing",
        "violations": [],
        "decision": {"rule": {"file": "policies/catalog/authz.rego", "line": 12}},
    }
    line = "403 DELETE /catalog/v1/items/7  policies/catalog/authz.rego:12  scope items:admin missing"
    assert refusal(record, {}, PLAIN) == line
    assert refusal({**record, "mode": "report", "status": 200}, {}, PLAIN).endswith("missing (only reported)")
    assert "\x1b[31;1m403" in refusal(record, {}, Palette(True)) or "\x1b[33;1m403" in refusal(
        record, {}, Palette(True)
    )


def test_a_violation_names_the_contract_s_line() -> None:
    files = {"contracts/a/v1.yaml": b"x:\n  y: 1\n"}
    violation = {
        "location": "query",
        "pointer": "/limit",
        "detail": "must be at most 100",
        "schema": "contracts/a/v1.yaml#/x/y",
    }
    record = {"status": 400, "method": "GET", "path": "/a", "violations": [violation, violation]}
    line = "400 GET /a  contracts/a/v1.yaml:2  query /limit: must be at most 100 (and 1 more)"
    assert refusal(record, files, PLAIN) == line


def test_a_client_cannot_write_on_the_terminal() -> None:
    line = refusal({"status": 404, "method": "GET", "path": "/\x1b[2J\r\n200 fine", "code": "not-found"}, {}, PLAIN)
    assert "\x1b" not in line
    assert "\n" not in line


def test_changes_are_lines() -> None:
    assert line_of(Live(0.08, 2, ("a",)), {}, PLAIN) == "live in 80 ms: 2 operations changed"
    assert line_of(PolicyLive(0.05, "a", "1f"), {}, PLAIN) == "live in 50 ms: policies of a are at revision 1f"
    kept = line_of(Diagnosed((), frozenset({"a", "b"}), frozenset({"a"})), {}, PLAIN)
    assert "still serving the previous a" in kept
    assert "not served: b" in kept


def test_a_token_verifies_with_the_published_keys() -> None:
    jwt = pytest.importorskip("jwt")
    keys = Keys()
    published = json.loads(keys.jwks)["keys"][0]
    assert "d" not in published
    token = keys.token({"iss": "i", "aud": "a", "sub": "rita"})
    claims = jwt.decode(token, jwt.PyJWK(published).key, algorithms=["ES256"], audience="a", issuer="i")
    assert claims["sub"] == "rita"
    assert 0 < claims["exp"] - claims["iat"] <= 3600
    assert len(base64.urlsafe_b64decode(token.split(".")[2] + "==")) == 64


def test_curl_lines_are_quoted_for_a_shell() -> None:
    line = curl(Try("t", "POST", "/a?x='1'&y=2", None, {}, {"a": "it's"}), "tok", Address("127.0.0.1", 8080))
    import shlex

    assert shlex.split(line) == [
        *("curl", "-i", "-X", "POST", "http://127.0.0.1:8080/a?x='1'&y=2", "-H", "authorization: Bearer tok"),
        *("-H", "content-type: application/json", "-d", '{"a": "it\'s"}'),
    ]


def test_dev_is_read_and_what_means_nothing_is_said() -> None:
    text = b"""dev:
  keys: k.json
  processes: {a: "{python} -m x", b: {command: [run], ready: "http://127.0.0.1:1/"}, c: {ready: 5}}
  tokens: {t: {sub: s}}
  try: [{request: GET /x, token: t, expect: 200}, {request: FETCH /x}, {request: GET /y, token: u}]
  keyz: 1
"""
    dev, found = parse_dev({"sidegate.yaml": text})
    assert dev.processes[0] == DevProcess("a", (sys.executable, "-m", "x"))
    assert dev.processes[1].ready == "http://127.0.0.1:1/"
    assert dev.tries[0] == Try("", "GET", "/x", "t", {}, None, "200")
    assert [d.code for d in found] == ["dev-invalid"] * len(found)
    assert {d.span.line for d in found if d.span} == {3, 5, 6}
    assert parse_dev({}) == (Dev(), ())


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ("http", "c", 4318, "/v1/traces")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/x"}, ("https", "c", 443, "/x")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_the_collector_is_where_otel_points(env: dict[str, str], expected: object) -> None:
    assert collector(env) == expected


def test_a_collector_that_is_no_url_is_said() -> None:
    with pytest.raises(CannotRun, match="no URL"):
        collector({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"})
