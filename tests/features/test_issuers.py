"""Keys fetched from an issuer: cached, rotated, kept when the issuer fails; client certificates as credentials."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.tokens import Issuer
from tests.features.hop import Hop, contract, operation, serve
from tests.features.pki import authority
from tests.features.test_keys import NATIVE
from tests.waiting import PATIENCE_S, until
from xds.up.ports import free_port

CLIENT = httpx.Client(trust_env=False, timeout=PATIENCE_S)
URI = "spiffe://example.com/mobile"


@dataclass
class Served:
    """A key server whose answer can be changed; `asked` are the paths that were asked for."""

    answer: tuple[int, dict[str, str], bytes]
    asked: list[str] = field(default_factory=list)
    hangs: bool = False

    def start(self) -> int:
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                served.asked.append(self.path)
                if served.hangs:
                    time.sleep(4)
                status, headers, body = served.answer
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_port)


@pytest.fixture(scope="module")
def remote() -> Issuer:
    return Issuer("https://remote.test")


@pytest.fixture(scope="module")
def served(remote: Issuer) -> Served:
    return Served((200, {}, remote.jwks().encode()))


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {"mutual": free_port(), "plain": free_port()}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, served: Served, ports: dict[str, int]) -> Iterator[Hop]:
    ca = authority()
    pair = ca.issue("localhost", "127.0.0.1")
    url = f"http://127.0.0.1:{served.start()}/keys"
    security: dict[str, Any] = {
        "remote": {"issuer": "https://remote.test", "audiences": ["ref"], "jwks": {"url": url, "refresh": "1s"}},
        "cert": {"certificates": {URI: "mobile", "batch.example.com": "batch"}},
    }
    tls = {"certificates": [{"cert": "tls/server.cert", "key": "tls/server.key"}]}
    listeners = [
        {"name": "plain", "address": f"127.0.0.1:{ports['plain']}"},
        {
            "name": "mutual",
            "address": f"127.0.0.1:{ports['mutual']}",
            "tls": {**tls, "clientCa": "tls/ca.cert", "clientCertificate": "optional"},
        },
    ]
    schemes = {
        "remote": {"type": "openIdConnect", "openIdConnectUrl": "https://remote.test/.well-known/openid-configuration"},
        "cert": {"type": "mutualTLS"},
    }
    paths = {
        "/remote": {"get": operation(security=[{"remote": []}], x_sidegate=NATIVE)},
        "/cert": {"get": operation(security=[{"cert": []}], x_sidegate=NATIVE)},
        "/either": {"get": operation(security=[{"cert": []}, {"remote": ["openid"]}], x_sidegate=NATIVE)},
    }
    files = {"tls/server.cert": pair.cert, "tls/server.key": pair.key, "tls/ca.cert": ca.pem}
    document = contract(paths, components={"securitySchemes": schemes})
    settings = {"security": security, "listeners": listeners}
    with serve(tmp_path_factory.mktemp("issuers"), document, settings=settings, files=files) as running:
        yield running


def status(port: int, issuer: Issuer, path: str = "/remote", **claims: Any) -> int:
    token = {"authorization": f"Bearer {issuer.token(**claims)}"}
    return CLIENT.get(f"http://127.0.0.1:{port}{path}", headers=token).status_code


def test_an_unknown_kid_fetches_nothing(hop: Hop, served: Served, remote: Issuer, ports: dict[str, int]) -> None:
    """J19: keys are fetched by the clock only, whatever is asked."""
    until(lambda: status(ports["plain"], remote) == 200)
    began, before = time.monotonic(), len(served.asked)
    _, payload, signature = remote.token().split(".")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", ports["plain"], timeout=PATIENCE_S)) as connection:
        for number in range(10_000):
            header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": f"unknown-{number}"}).encode())
            token = f"{header.decode().rstrip('=')}.{payload}.{signature}"
            connection.request("GET", "/remote", headers={"authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 401
    assert status(ports["plain"], remote) == 200
    assert len(served.asked) - before <= 2 * (1 + time.monotonic() - began), "one a second for each of two listeners"


def test_keys_stay_when_the_issuer_fails_and_rotate_when_it_is_back(
    hop: Hop, served: Served, remote: Issuer, ports: dict[str, int]
) -> None:
    """J20: errors, pages, redirects and silence change nothing; no redirect is followed."""
    other, good = Served((200, {}, b"{}")), served.answer
    elsewhere = other.start()
    for answer in (
        (500, {}, b"no"),
        (200, {"content-type": "text/html"}, b"<html>"),
        (302, {"location": f"http://127.0.0.1:{elsewhere}/keys"}, b""),
        (200, {}, b" " * 5_000_000),
    ):
        served.answer, before = answer, len(served.asked)
        until(lambda: len(served.asked) > before)  # noqa: B023
        assert status(ports["plain"], remote) == 200
    assert not other.asked
    before, served.hangs = len(served.asked), True
    until(lambda: len(served.asked) > before)
    assert status(ports["plain"], remote) == 200
    served.hangs = False
    fresh = Issuer("https://remote.test")
    served.answer = (200, {}, fresh.jwks().encode())
    until(lambda: status(ports["plain"], fresh) == 200)
    assert status(ports["plain"], remote) == 401
    served.answer = good
    until(lambda: status(ports["plain"], remote) == 200)


@pytest.fixture
def secure(tmp_path: Path, ports: dict[str, int]) -> Any:
    def ask(path: str, **certificate: Any) -> httpx.Response:
        context = ssl.create_default_context(cadata=authority().pem)
        if certificate:
            signer = certificate.pop("signer", authority())
            pair = signer.issue(*certificate.pop("names", ()), **certificate)
            (tmp_path / "cert").write_text(pair.cert)
            (tmp_path / "key").write_text(pair.key)
            context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
        return httpx.get(f"https://localhost:{ports['mutual']}{path}", verify=context, trust_env=False)

    return ask


def test_a_certificate_names_the_consumer(hop: Hop, secure: Any) -> None:
    since = len(hop.server.log)
    assert secure("/cert", uris=(URI,)).status_code == 200
    assert secure("/either", names=("batch.example.com",)).status_code == 200
    assert [request.headers["x-sidegate-consumer"] for request in hop.reached(since)] == ["mobile", "batch"]


def test_no_certificate_or_another_is_401(hop: Hop, secure: Any, ports: dict[str, int]) -> None:
    answer = secure("/cert")
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials-missing")
    assert answer.headers["www-authenticate"] == 'MutualTLS realm="gateway"'
    answer = secure("/cert", uris=("spiffe://example.com/other",))
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials-invalid")
    assert httpx.get(f"http://127.0.0.1:{ports['plain']}/cert", trust_env=False).status_code == 401


def test_a_certificate_of_another_authority_is_no_connection(hop: Hop, secure: Any) -> None:
    with pytest.raises(httpx.TransportError):
        secure("/cert", uris=(URI,), signer=authority("a stranger"))


def test_keys_that_nobody_has_are_the_gateways_trouble(tmp_path: Path, remote: Issuer) -> None:
    """503, whichever filter looks at the token: a client that is told 401 throws a good one away."""
    keys = {"issuer": remote.name, "audiences": ["ref"], "jwks": {"url": f"http://127.0.0.1:{free_port()}/keys"}}
    paths = {
        "/token": {"get": operation(security=[{"remote": []}], x_sidegate=NATIVE)},
        "/scope": {"get": operation(security=[{"remote": ["read"]}], x_sidegate=NATIVE)},
        "/plain": {"get": operation(security=[{"remote": ["read"]}], x_sidegate={"policy": "none", "reason": "x"})},
    }
    document = contract(paths, components={"securitySchemes": {"remote": {"type": "http", "scheme": "bearer"}}})
    with serve(tmp_path, document, settings={"security": {"remote": keys}}) as hop:
        sent = {"authorization": f"Bearer {remote.token(scope='read')}"}
        for path in paths:
            answer = hop.client.get(path, headers=sent)
            assert (answer.status_code, answer.json()["code"]) == (503, "keys-unavailable"), path
            assert hop.client.get(path).status_code == 401
