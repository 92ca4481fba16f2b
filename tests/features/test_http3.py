"""`http3: true`: the same gateway over QUIC, announced by alt-svc, with the same certificates and the same refusals."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.features.pki import Authority, authority
from tests.features.test_tls import _files, _offered, ask, write_pair
from tests.waiting import PATIENCE_S, until
from xds.up.ports import free_port

http3 = pytest.importorskip("tests.features.http3", reason="aioquic is not installed: make")

A, B = "a.example.com", "b.example.com"


CLIENTS = Authority("clients")
POLICY = """\
package svc.authz

default allow := false

allow if not input.sidegate.operation_id == "peers"

allow if input.sidegate.peer.dns == ["ada.clients.test"]
"""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def mutual() -> int:
    return free_port()


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, port: int, mutual: int) -> Iterator[Hop]:
    tls = {"certificates": _offered("a", "b")}
    listener = {"name": "edge", "address": f"127.0.0.1:{port}", "tls": tls, "http3": True, "hsts": {"maxAge": "1d"}}
    asking = {"certificates": _offered("a"), "clientCa": "tls/clients.pem"}
    strict = {"name": "strict", "address": f"127.0.0.1:{mutual}", "tls": asking, "http3": True}
    paths = {
        "/peers": {"get": operation(operationId="peers")},
        "/open": {"get": operation()},
        "/plain": {"get": operation(x_sidegate={"policy": "none", "reason": "for the test"})},
        "/guarded": {"get": operation(security=[{"bearer": []}])},
    }
    files = _files(a=authority().issue(A), b=authority().issue(B))
    with serve(
        tmp_path_factory.mktemp("http3"),
        contract(paths),
        policies={"authz.rego": POLICY},
        settings={"listeners": [listener, strict]},
        files={**files, "tls/clients.pem": CLIENTS.pem},
    ) as running:
        yield running


def test_it_is_announced_and_answers(hop: Hop, port: int) -> None:
    assert ask(port, A).getheader("alt-svc") == f'h3=":{port}"; ma=86400'
    answer = http3.ask(port, A, authority().pem, "/open")
    assert (answer.status, answer.headers["strict-transport-security"]) == (200, "max-age=86400")
    assert hop.reached()[-1].path == "/open"


@pytest.mark.parametrize("name", [A, B])
def test_the_certificate_is_the_one_for_the_name(hop: Hop, port: int, name: str) -> None:
    assert http3.ask(port, name, authority().pem, "/open").status == 200


def test_no_other_name_is_served(hop: Hop, port: int) -> None:
    with pytest.raises((ConnectionError, TimeoutError)):
        http3.ask(port, "c.example.com", authority().pem, "/open", patience=2)
    answer = http3.ask(port, A, authority().pem, "/open", authority=B)
    assert (answer.status, json.loads(answer.body)["code"]) == (421, "misdirected")


def test_a_plain_request_asks_nobody(hop: Hop, port: int) -> None:
    hop.gateway.kill("companion", signal.SIGSTOP)
    try:
        assert http3.ask(port, A, authority().pem, "/plain").status == 200
        assert http3.ask(port, A, authority().pem, "/plain?a=1").status == 503
        assert http3.ask(port, A, authority().pem, "/open").status == 503
    finally:
        hop.gateway.kill("companion", signal.SIGCONT)
    assert http3.ask(port, A, authority().pem, "/plain?a=1").status == 400


def test_the_same_is_refused(hop: Hop, port: int) -> None:
    reached = len(hop.server.log)
    for path, more, status in (
        ("/guarded", {}, 401),
        ("/nowhere", {}, 404),
        ("/open%2f..", {}, 400),
        ("/open", {"under_scored": "1"}, 0),  # Envoy's codec for HTTP/3 resets the stream where others answer
        ("/open", {"big": "x" * 20_000}, 0),
    ):
        assert http3.ask(port, A, authority().pem, path, more=more).status == status, path
    assert len(hop.server.log) == reached


def test_a_client_s_own_headers_are_taken_off(hop: Hop, port: int) -> None:
    more = {"x-sidegate-client": "10.0.0.1", "x-forwarded-for": "10.0.0.1", "x-envoy-internal": "true"}
    assert http3.ask(port, A, authority().pem, "/open", more=more).status == 200
    received = {name.lower(): value for name, value in hop.reached()[-1].headers.items()}
    ours = {name for name in received if name.startswith(("x-sidegate-", "x-envoy-"))}
    assert ours <= {"x-envoy-external-address"}, "Envoy's own word"
    assert "10.0.0.1" not in received.get("x-forwarded-for", "")


def test_clients_show_certificates_there_too(hop: Hop, mutual: int, tmp_path: Path) -> None:
    def get(signed_by: Authority | None) -> int:
        own = tmp_path / "own.cert", tmp_path / "own.key"
        if signed_by is not None:
            pair = signed_by.issue("ada.clients.test")
            own[0].write_text(pair.cert)
            own[1].write_text(pair.key)
        shown = own if signed_by else None
        patience = PATIENCE_S if signed_by is CLIENTS else 2
        return int(http3.ask(mutual, A, authority().pem, "/peers", own=shown, patience=patience).status)

    assert get(CLIENTS) == 200
    for stranger in (None, authority()):
        with pytest.raises((ConnectionError, TimeoutError)):
            get(stranger)


def test_certificates_are_rotated(hop: Hop, port: int) -> None:
    """The new one is of an authority that the client does not know until it is used."""
    other = Authority("another")
    write_pair(hop.folder, "b", other.issue(B))

    def taken() -> bool:
        try:
            return http3.ask(port, B, other.pem, "/open").status == 200
        except (ConnectionError, TimeoutError):
            return False

    until(taken, lambda: "the new certificate")
