"""TLS with certificates on both sides: of clients, checked by Envoy and told to the policy; and of the proxy, to upstreams."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.features.hop import Hop, contract, operation, serve
from tests.features.pki import Authority, Pair, authority
from tests.features.test_tls import _files, _offered, asked, write_pair
from tests.waiting import until
from xds.up.ports import free_port

A = "a.example.com"
ADA, SPIFFE = "ada.clients.test", "spiffe://clients.test/ada"
CLIENTS = Authority("clients")

POLICY = """\
package svc.authz

default allow := false

allow if input.sidegate.operation_id == "open"

allow if {
	input.sidegate.operation_id == "peers"
	"spiffe://clients.test/ada" in input.sidegate.peer.uris
	input.sidegate.peer.dns == ["ada.clients.test"]
	input.sidegate.peer.subject == "CN=ada"
	count(input.sidegate.peer.fingerprint) == 64
}
"""


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {"required": free_port(), "optional": free_port()}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int]) -> Iterator[Hop]:
    def listener(name: str) -> dict[str, object]:
        tls = {"certificates": _offered("a"), "clientCa": "tls/clients.pem", "clientCertificate": name}
        return {"name": name, "address": f"127.0.0.1:{ports[name]}", "tls": tls}

    paths = {"/open": {"get": operation(operationId="open")}, "/peers": {"get": operation(operationId="peers")}}
    files = {**_files(a=authority().issue(A)), "tls/clients.pem": CLIENTS.pem}
    with serve(
        tmp_path_factory.mktemp("mutual"),
        contract(paths),
        policies={"authz.rego": POLICY},
        settings={"listeners": [listener("required"), listener("optional")]},
        files=files,
    ) as running:
        yield running


def get(port: int, path: str, pair: Pair | None, folder: Path, more: str = "") -> int:
    import socket

    context = ssl.create_default_context(cadata=authority().pem)
    if pair is not None:
        whole = folder / f"{pair.serial}.pem"
        whole.write_text(pair.cert + pair.key)
        context.load_cert_chain(whole)
    raw = socket.create_connection(("127.0.0.1", port), 5)
    with closing(context.wrap_socket(raw, server_hostname=A)) as secure:
        return asked(secure, path, f"{A}{more}").status


def test_a_client_without_a_certificate_of_the_ca_is_refused(hop: Hop, ports: dict[str, int], tmp_path: Path) -> None:
    ada, stranger = CLIENTS.issue(ADA), authority().issue(ADA)
    assert get(ports["required"], "/open", ada, tmp_path) == 200
    for pair in (None, stranger):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            get(ports["required"], "/open", pair, tmp_path)
    assert get(ports["optional"], "/open", None, tmp_path) == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(ports["optional"], "/open", stranger, tmp_path)


def test_an_expired_client_certificate_is_refused(hop: Hop, ports: dict[str, int], tmp_path: Path) -> None:
    from datetime import timedelta

    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(ports["required"], "/open", CLIENTS.issue(ADA, valid=timedelta(minutes=-5)), tmp_path)


def test_the_policy_sees_who_the_certificate_names(hop: Hop, ports: dict[str, int], tmp_path: Path) -> None:
    ada = CLIENTS.issue(ADA, subject="ada", uris=(SPIFFE,))
    bob = CLIENTS.issue("bob.clients.test", subject="bob", uris=("spiffe://clients.test/bob",))
    assert get(ports["required"], "/peers", ada, tmp_path) == 200
    assert get(ports["required"], "/peers", bob, tmp_path) == 403
    forged = f"\r\nx-sidegate-peer-uri: {SPIFFE}\r\nx-sidegate-peer-dns: {ADA}\r\nx-sidegate-peer-subject: CN=ada"
    forged += f"\r\nx-forwarded-client-cert: URI={SPIFFE}\r\nx-sidegate-peer-fingerprint: {'0' * 64}"
    assert get(ports["optional"], "/peers", None, tmp_path, forged) == 403
    assert get(ports["optional"], "/peers", bob, tmp_path, forged) == 403
    reached = {name.lower() for request in hop.reached() for name in dict(request.headers)}
    assert not {n for n in reached if n.startswith("x-sidegate-") or n == "x-forwarded-client-cert"}


def test_another_authority_is_live_without_a_restart(hop: Hop, ports: dict[str, int], tmp_path: Path) -> None:
    new = Authority("new clients")
    (hop.folder / "tls/clients.pem").write_text(new.pem)

    def taken() -> bool:
        try:
            return get(ports["required"], "/open", new.issue(ADA), tmp_path) == 200
        except (OSError, ssl.SSLError):
            return False

    try:
        until(taken, lambda: "the new authority")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            get(ports["required"], "/open", CLIENTS.issue(ADA), tmp_path)
    finally:
        (hop.folder / "tls/clients.pem").write_text(CLIENTS.pem)


# --- to upstreams -------------------------------------------------------------------------------------------------------

UPSTREAM = Authority("upstreams")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HTTPServer]:
    """An upstream that shows the certificate of `up.internal.test` and takes only clients of its own authority."""
    folder = tmp_path_factory.mktemp("upstream")
    pair = UPSTREAM.issue("up.internal.test")
    (folder / "own.pem").write_text(pair.cert + pair.key)
    (folder / "ca.pem").write_text(UPSTREAM.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = HTTPServer("127.0.0.1", ssl_context=context, threaded=True)
    server.expect_request(re.compile("/.*/open")).respond_with_data("from behind TLS")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, secure: HTTPServer) -> Iterator[Hop]:
    def upstream(**changes: str | None) -> dict[str, object]:
        tls = {"ca": "tls/up.pem", "cert": "tls/own.cert", "key": "tls/own.key", "serverName": "up.internal.test"}
        said = {key: value for key, value in {**tls, **changes}.items() if value is not None}
        return {"upstream": {"url": f"https://127.0.0.1:{secure.port}", "tls": said}}

    versions = {
        "good": upstream(),
        "name": upstream(serverName="other.internal.test"),
        "address": upstream(serverName=None),
        "authority": upstream(ca="tls/other.pem"),
        "bare": upstream(cert=None, key=None),
    }
    paths = {"/open": {"get": operation()}}
    with serve(
        tmp_path_factory.mktemp("behind"),
        {name: contract(paths, servers=[{"url": f"/{name}"}]) for name in versions},
        settings={"services": {"svc": {"versions": versions}}},
        files={
            "tls/up.pem": UPSTREAM.pem,
            "tls/other.pem": authority().pem,
            **_files(own=UPSTREAM.issue("gateway")),
        },
    ) as running:
        yield running


def test_the_proxy_and_the_upstream_check_each_other(behind: Hop) -> None:
    answer = behind.client.get("/good/open")
    assert (answer.status_code, answer.text) == (200, "from behind TLS")


@pytest.mark.parametrize("version", ["name", "address", "authority", "bare"])
def test_whatever_is_not_right_reaches_nobody(behind: Hop, version: str) -> None:
    answer = behind.client.get(f"/{version}/open")
    assert (answer.status_code, answer.json()["code"]) == (503, "upstream-unavailable")


def test_the_proxy_s_own_certificate_is_rotated(behind: Hop) -> None:
    """With one that the upstream does not take there is no way in, which shows that it is used."""
    write_pair(behind.folder, "own", authority().issue("gateway"))
    closed = {"connection": "close"}
    until(lambda: behind.client.get("/good/open", headers=closed).status_code == 503, lambda: "the wrong one is used")
    write_pair(behind.folder, "own", UPSTREAM.issue("gateway"))
    until(lambda: behind.client.get("/good/open").status_code == 200, lambda: "the right one again")
