"""Listeners with TLS: certificates by SNI, rotated under load; hosts, redirects, HSTS; what is wrong keeps the last good."""

from __future__ import annotations

import json
import os
import shlex
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path

import httpx
import pytest
from cryptography.x509 import load_der_x509_certificate

from tests.cli.command import sidegate
from tests.features.hop import Hop, contract, operation, serve
from tests.features.pki import Pair, authority
from tests.waiting import PATIENCE_S, until
from xds.packs.archive import unpacked
from xds.up.ports import free_port

A, B, WILD, DEFAULT = "a.example.com", "b.example.com", "x.wild.example.com", "127.0.0.1"


def _files(**pairs: Pair) -> dict[str, str]:
    return {f"tls/{name}.{end}": getattr(pair, end) for name, pair in pairs.items() for end in ("cert", "key")}


def _offered(*names: str, default: str = "") -> list[dict[str, object]]:
    rows = [{"cert": f"tls/{name}.cert", "key": f"tls/{name}.key"} for name in names]
    return [*rows, {"cert": f"tls/{default}.cert", "key": f"tls/{default}.key", "default": True}] if default else rows


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("plain", "redirect", "strict", "open")}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int]) -> Iterator[Hop]:
    ca = authority()
    listeners = [
        {"name": "plain", "address": f"127.0.0.1:{ports['plain']}", "hosts": ["in.example.com", "*.in.example.com"]},
        {"name": "redirect", "address": f"127.0.0.1:{ports['redirect']}", "redirect": "strict"},
        {
            "name": "strict",
            "address": f"127.0.0.1:{ports['strict']}",
            "tls": {"certificates": _offered("a", "b", "wild"), "minVersion": "1.2"},
            "hsts": {"maxAge": "365d", "includeSubDomains": True},
        },
        {
            "name": "open",
            "address": f"127.0.0.1:{ports['open']}",
            "tls": {"certificates": _offered("a", default="fallback"), "minVersion": "1.3"},
        },
    ]
    files = _files(
        a=ca.issue(A), b=ca.issue(B), wild=ca.issue("*.wild.example.com"), fallback=ca.issue(DEFAULT, "localhost")
    )
    paths = {"/open": {"get": operation()}, "/guarded": {"get": operation(security=[{"bearer": []}])}}
    root = tmp_path_factory.mktemp("tls")
    with serve(root, contract(paths), settings={"listeners": listeners}, files=files) as running:
        yield running


def shake(port: int, name: str | None, *, alpn: tuple[str, ...] = (), **limits: ssl.TLSVersion) -> ssl.SSLSocket:
    """A TLS connection that asks for a name (None: for none) and trusts the test's authority."""
    context = ssl.create_default_context(cadata=authority().pem)
    context.check_hostname = name is not None
    for limit, version in limits.items():
        setattr(context, f"{limit}_version", version)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    raw = socket.create_connection(("127.0.0.1", port), 5)
    return context.wrap_socket(raw, server_hostname=name)


def ask(port: int, name: str | None, path: str = "/open", host: str | None = None) -> HTTPResponse:
    """One request over TLS, with a Host of its own."""
    with closing(shake(port, name)) as secure:
        return asked(secure, path, host or f"{name}:{port}")


def asked(secure: ssl.SSLSocket, path: str, host: str) -> HTTPResponse:
    secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    response = HTTPResponse(secure)
    response.begin()
    response.body = response.read()  # type: ignore[attr-defined]
    return response


def serial(port: int, name: str) -> int:
    with closing(shake(port, name)) as secure:
        der = secure.getpeercert(binary_form=True)
        assert der
        return load_der_x509_certificate(der).serial_number


@pytest.mark.parametrize("name", [A, B, WILD])
def test_the_certificate_is_the_one_for_the_name(hop: Hop, ports: dict[str, int], name: str) -> None:
    """OpenSSL checks the name against the certificate."""
    answer = ask(ports["strict"], name)
    assert (answer.status, answer.getheader("strict-transport-security")) == (
        200,
        "max-age=31536000; includeSubDomains",
    )


@pytest.mark.parametrize("name", ["c.example.com", "wild.example.com", None])
def test_a_name_without_a_certificate_is_refused(hop: Hop, ports: dict[str, int], name: str | None) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(ports["strict"], name, host=A)


def test_a_default_serves_whoever_asks_for_nothing_else(hop: Hop, ports: dict[str, int]) -> None:
    assert ask(ports["open"], None, host=f"127.0.0.1:{ports['open']}").status == 200
    assert ask(ports["open"], A).status == 200


@pytest.mark.parametrize(
    ("port", "name", "host", "status"),
    [
        ("strict", A, A.upper(), 200),
        ("strict", A, f"{A}:8443", 200),
        ("strict", A, B, 421),
        ("strict", A, "evil.test", 421),
        ("strict", WILD, "y.wild.example.com", 200),
        ("strict", "y.z.wild.example.com", "y.z.wild.example.com", None),
        ("strict", WILD, "y.z.wild.example.com", 421),
        ("strict", A, f"{A}.evil.test", 421),
        ("open", None, A, 421),
        ("open", A, "localhost", 421),
    ],
)
def test_another_host_than_the_certificate_s_is_misdirected(
    hop: Hop, ports: dict[str, int], port: str, name: str | None, host: str, status: int | None
) -> None:
    reached = len(hop.server.log)
    if status is None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(ports[port], name, host=host)
        return
    answer = ask(ports[port], name, host=host)
    assert answer.status == status
    if status == 421:
        document = json.loads(answer.body)  # type: ignore[attr-defined]
        assert (document["code"], document["status"]) == ("misdirected", 421)
        assert len(document["traceId"]) == 32
        assert len(hop.server.log) == reached


def test_a_plain_listener_serves_its_hosts(hop: Hop, ports: dict[str, int]) -> None:
    url = f"http://127.0.0.1:{ports['plain']}/open"
    for host, status in (("in.example.com", 200), ("a.b.in.example.com", 200), ("out.example.com", 421)):
        assert httpx.get(url, headers={"host": host}, trust_env=False).status_code == status


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_plain_listener_sends_to_https(hop: Hop, ports: dict[str, int], method: str) -> None:
    reached = len(hop.server.log)
    url = f"http://127.0.0.1:{ports['redirect']}/open?x=1&y=%20"
    answer = httpx.request(method, url, headers={"host": f"{A}:{ports['redirect']}"}, trust_env=False)
    assert (answer.status_code, len(hop.server.log)) == (308, reached)
    assert answer.headers["location"] == f"https://{A}:{ports['strict']}/open?x=1&y=%20"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_alpn_and_versions(hop: Hop, ports: dict[str, int]) -> None:
    with closing(shake(ports["strict"], A, alpn=("h2", "http/1.1"))) as secure:
        assert secure.selected_alpn_protocol() == "h2"
    with closing(shake(ports["strict"], A, maximum=ssl.TLSVersion.TLSv1_2)) as secure:
        assert (secure.version(), secure.cipher()[0][:6]) == ("TLSv1.2", "ECDHE-")  # type: ignore[index]
    with pytest.raises(ssl.SSLError):
        shake(ports["open"], A, maximum=ssl.TLSVersion.TLSv1_2)
    for old in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        with pytest.raises((ssl.SSLError, ValueError, ConnectionError)):
            shake(ports["strict"], A, minimum=ssl.TLSVersion.TLSv1, maximum=old)


def test_the_hardened_profile_holds_there_too(hop: Hop, ports: dict[str, int]) -> None:
    assert ask(ports["strict"], A, "/guarded").status == 401
    assert ask(ports["strict"], A, "/open%2f..").status == 400
    with closing(shake(ports["strict"], A)) as secure:
        secure.sendall(f"GET /open HTTP/1.1\r\nHost: {A}\r\nx-forwarded-client-cert: Hash=1\r\n"
                       "x-sidegate-peer-subject: CN=root\r\n\r\n".encode())  # fmt: skip
        assert HTTPResponse(secure).fp.readline().startswith(b"HTTP/1.1 200")  # type: ignore[union-attr]
    names = {name.lower() for name, _ in hop.server.log[-1][0].headers.items()}
    assert not {n for n in names if n.startswith("x-sidegate-")} | ({"x-forwarded-client-cert"} & names)


def test_nothing_shows_the_keys(hop: Hop) -> None:
    """Not what is printed, not Envoy's dump, not the management API; and the state is its owner's alone."""
    key = (hop.folder / "tls/a.key").read_text().splitlines()[1]
    printed = sidegate("compile", hop.folder)
    assert (printed.returncode, "<redacted>" in printed.stdout) == (0, True)
    explained = sidegate("explain", "svc", "v1", "get--open", "--dir", hop.folder)
    for text in (printed.stdout, printed.stderr, explained.stdout, explained.stderr, hop.gateway.output):
        assert "PRIVATE KEY" not in text
        assert key not in text
    from tests.e2e.processes import Admin

    dump = Admin(hop.gateway.roles()["envoy"].pid).get("/config_dump?include_eds")
    assert "certificate:tls/a.cert" in dump
    assert key not in dump
    for path in ("/services", "/companions", "/diagnostics", "/clients"):
        assert key not in hop.gateway.manage(path).body
    state = hop.folder / ".sidegate"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    zips = list(state.rglob("*.zip"))
    assert zips
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in (*zips, state / "snapshot"))
    theirs = [name for each in zips if "companion" in each.parts for name in unpacked(each.read_bytes())]
    assert theirs
    assert not [name for name in theirs if name.startswith("tls/")], "the companion has no business with it"


def test_up_says_where_and_how(hop: Hop, ports: dict[str, int]) -> None:
    printed = hop.gateway.output
    assert f"http://127.0.0.1:{ports['plain']} (plain)" in printed
    assert f"http://127.0.0.1:{ports['redirect']} (redirect, to strict)" in printed
    assert f"https://127.0.0.1:{ports['strict']} (strict)" in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("curl -i") and line.endswith("/open"))
    done = subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout.startswith("HTTP/1.1 200"), "as pasted"


def test_envoy_s_own_validation_takes_it(hop: Hop) -> None:
    done = sidegate("compile", hop.folder, "--validate")
    assert (done.returncode, done.stderr) == (0, "")


def write_pair(root: Path, name: str, pair: Pair) -> None:
    """Both files, each in one step."""
    for end in ("cert", "key"):
        scratch = root / f"tls/.{name}.{end}"
        scratch.write_text(getattr(pair, end))
        os.replace(scratch, root / f"tls/{name}.{end}")


def test_rotation_under_load_drops_nothing(hop: Hop, ports: dict[str, int]) -> None:
    """Open connections go on, new ones get the new certificate, and no request fails."""
    stop, failures, counts = threading.Event(), [], [0]

    def load() -> None:
        context = ssl.create_default_context(cadata=authority().pem)
        while not stop.is_set():
            connection = HTTPSConnection(B, ports["strict"], context=context, timeout=PATIENCE_S)
            connection.sock = shake(ports["strict"], B)
            try:
                for _ in range(20):
                    connection.request("GET", "/open")
                    answer = connection.getresponse()
                    answer.read()
                    counts[0] += 1
                    if answer.status != 200:
                        failures.append(answer.status)
            except (OSError, ssl.SSLError) as error:
                failures.append(repr(error))
            finally:
                connection.close()

    threads = [threading.Thread(target=load) for _ in range(3)]
    with closing(shake(ports["strict"], B)) as old:
        assert asked(old, "/open", B).status == 200
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                pair = authority().issue(B)
                write_pair(hop.folder, "b", pair)
                until(
                    lambda pair=pair: serial(ports["strict"], B) == pair.serial, lambda: "the new certificate is shown"
                )
            until(lambda: bool(failures) or counts[0] >= 100, lambda: "there was load")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert asked(old, "/open", B).status == 200, "the connection of before the rotations"
    assert failures == []


@pytest.mark.parametrize("what", ["mismatch", "expired", "gone", "text"])
def test_what_is_wrong_keeps_the_last_good(hop: Hop, ports: dict[str, int], what: str) -> None:
    before, good = serial(ports["strict"], A), {e: (hop.folder / f"tls/a.{e}").read_text() for e in ("cert", "key")}
    from datetime import timedelta

    if what == "mismatch":
        (hop.folder / "tls/a.key").write_text(authority().issue(A).key)
    elif what == "expired":
        write_pair(hop.folder, "a", authority().issue(A, valid=timedelta(minutes=-5)))
    elif what == "gone":
        (hop.folder / "tls/a.key").unlink()
    else:
        (hop.folder / "tls/a.cert").write_text("no certificate")
    code = {"mismatch": "mismatch", "expired": "validity", "gone": "unreadable", "text": "invalid"}[what]

    def said() -> list[dict[str, object]]:
        return [d for d in hop.gateway.manage("/diagnostics").json if d["code"] == f"certificate-{code}"]

    try:
        until(said, lambda: "the diagnostic")
        (first, *_) = said()
        assert first["span"]["file"] == "sidegate.yaml"  # type: ignore[index]
        assert first["span"]["line"] > 1  # type: ignore[index, operator]
        assert serial(ports["strict"], A) == before
        # What else is changed is live all the same.
        path = hop.folder / "contracts/svc/v1.yaml"
        path.write_text(path.read_text().replace("/open:", f"/open:\n    x-{what}: 1", 1))
        assert ask(ports["strict"], A).status == 200
        assert hop.gateway.manage("/ready").json["degraded"] == []
    finally:
        write_pair(hop.folder, "a", Pair(good["cert"], good["key"], 0))
    until(lambda: not said(), lambda: "nothing is wrong")
