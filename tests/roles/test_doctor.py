"""What is wrong with a set-up is found, each by its code, with what to do; and a sound one has no finding."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.cli.command import sidegate
from tests.features.pki import Authority, Pair
from tests.projects import CONTRACT, pets
from xds.address import Address
from xds.cli import parser
from xds.commands import doctor
from xds.doctor import Finding, SetUp, diagnose
from xds.failure import CannotRun
from xds.status import status
from xds.up.ports import free_port

CA = Authority("doctor")


def project(folder: Path, **settings: object) -> Path:
    """The pets, with more settings."""
    files = pets()
    base = yaml.safe_load(files["sidegate.yaml"])
    files["sidegate.yaml"] = yaml.safe_dump({**base, **settings})
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def codes(findings: list[Finding]) -> list[str]:
    assert all(each.what and each.fix for each in findings)
    return [each.code for each in findings if each.code != "upstream-unreachable"]


def written(folder: Path, pair: Pair) -> tuple[Path, Path]:
    (folder / "a.crt").write_text(pair.cert)
    (folder / "a.key").write_text(pair.key)
    return folder / "a.crt", folder / "a.key"


def test_a_sound_set_up_has_no_finding(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as up:
        upstream = f"http://127.0.0.1:{up.getsockname()[1]}"
        root = project(tmp_path, services={"pets": {"upstream": upstream}})
        said: list[tuple[str, bool]] = []
        found = diagnose(SetUp(root, listen=Address("127.0.0.1", free_port())), lambda *word: said.append(word))
    assert found == []
    assert len(said) > 8
    assert all(well for _, well in said)


def test_nothing_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEGATE_ENVOY", str(tmp_path / "envoy"))
    assert codes(diagnose(SetUp(project(tmp_path)))) == ["envoy-missing"]
    (tmp_path / "envoy").write_text("#!/bin/sh\nexit 4\n")
    (tmp_path / "envoy").chmod(0o700)
    assert codes(diagnose(SetUp(project(tmp_path)))) == ["envoy-broken"]


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        (found,) = [
            each
            for each in diagnose(SetUp(project(tmp_path), listen=Address("127.0.0.1", taken.getsockname()[1])))
            if each.code != "upstream-unreachable"
        ]
    assert found.code == "address-taken"
    assert "process" in found.what


def test_sources(tmp_path: Path) -> None:
    assert codes(diagnose(SetUp(tmp_path / "nowhere"))) == ["sources-missing"]
    (tmp_path / "empty").mkdir()
    assert codes(diagnose(SetUp(tmp_path / "empty"))) == ["sources-empty"]
    root = project(tmp_path / "broken")
    (root / "contracts/pets/v1.yaml").write_text(CONTRACT.replace("minimum: 1", "minimum: one"))
    (found,) = (each for each in diagnose(SetUp(root)) if each.code == "sources-refused")
    assert "contracts/pets/v1.yaml:" in found.what


def test_a_pack_that_cannot_be_read_is_no_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "pets.zip").write_bytes(b"PK and no more")
    (found,) = diagnose(SetUp(tmp_path))
    assert (found.code, found.what.partition(":")[0]) == ("sources-refused", "pets.zip")


def test_in_a_pod_the_app_is_where_the_role_was_told(tmp_path: Path) -> None:
    root = project(tmp_path)
    settings = yaml.safe_load((root / "sidegate.yaml").read_text())
    (root / "sidegate.yaml").write_text(yaml.safe_dump(settings | {"services": {}}))
    with closing(socket.create_server(("127.0.0.1", 0))) as app:
        upstream = f"http://127.0.0.1:{app.getsockname()[1]}"
        assert diagnose(SetUp(root, service="pets", upstream=upstream)) == []
    assert codes(diagnose(SetUp(root))) == ["sources-refused"]


def test_where_the_sources_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod nobody is in a project's folder, and with a shared control plane there is none."""
    monkeypatch.chdir(tmp_path)
    mounted, run = tmp_path / "mounted", tmp_path / "run"
    monkeypatch.setattr("xds.roles.options.SOURCES", str(mounted))

    def sources(*words: str) -> Path | None:
        return doctor.sources(parser(["doctor"]).parse_args(["doctor", "--run", str(run), *words]))

    assert sources() == Path()
    assert sources("a") == sources("a", "--xds", "cp:9902") == Path("a")
    assert sources("--xds", "cp:9902") is None
    run.mkdir()
    assert sources() is None
    mounted.mkdir()
    assert sources() == mounted
    assert sources("--xds", "cp:9902") is None
    found = sidegate("doctor", "--xds", "127.0.0.1:1", "--run", run, "--format", "json", cwd=tmp_path)
    assert not {each["code"] for each in json.loads(found.stdout)} & {"sources-empty", "sources-missing"}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda f: written(f, CA.issue("a.test", valid=timedelta(hours=-1))), "certificate-expired"),
        (lambda f: written(f, CA.issue("a.test", valid=timedelta(minutes=20))), "certificate-expiring"),
        (lambda f: (written(f, CA.issue("a.test", valid=timedelta(days=90)))[0], f / "none"), "certificate-unreadable"),
        (lambda f: (f / "none", None), "certificate-unreadable"),
    ],
)
def test_certificates(tmp_path: Path, make: Callable[[Path], tuple[Path, Path | None]], code: str) -> None:
    certificate, key = make(tmp_path)
    assert code in codes(diagnose(SetUp(project(tmp_path / "p"), certificate=certificate, key=key)))


def test_a_certificate_of_a_day_is_no_news(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, CA.issue("a.test", valid=timedelta(days=1)))
    assert codes(diagnose(SetUp(project(tmp_path / "p"), certificate=certificate, key=key))) == []


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, CA.issue("a.test", valid=timedelta(days=90)))
    key.write_text(CA.issue("b.test").key)
    assert codes(diagnose(SetUp(project(tmp_path / "p"), certificate=certificate, key=key))) == ["certificate-mismatch"]


def test_a_certificate_that_settings_name(tmp_path: Path) -> None:
    pair = CA.issue("up.test", valid=timedelta(minutes=20))
    root = project(
        tmp_path,
        services={"pets": {"upstream": {"url": "https://up.test:1", "tls": {"cert": "tls/u.crt", "key": "tls/u.key"}}}},
    )
    (root / "tls").mkdir()
    (root / "tls/u.crt").write_text(pair.cert)
    (root / "tls/u.key").write_text(pair.key)
    assert "certificate-expiring" in codes(diagnose(SetUp(root)))


def test_others_that_are_away(tmp_path: Path) -> None:
    port = free_port()
    bearer = {"issuer": "https://i.test", "audiences": ["pets"], "jwks": {"url": f"http://127.0.0.1:{port}/jwks"}}
    root = project(
        tmp_path,
        opa={"url": f"http://127.0.0.1:{port}"},
        rateLimit={"service": f"127.0.0.1:{port}"},
        security={"bearer": bearer},
    )
    setup = SetUp(root, management=Address("127.0.0.1", port), xds=(Address("127.0.0.1", port),))
    assert codes(diagnose(setup)) == [
        "control-plane-unreachable",
        "management-unreachable",
        "opa-unreachable",
        "rate-limit-unreachable",
        "keys-unreachable",
    ]


class _Late(BaseHTTPRequestHandler):
    """An issuer whose clock is years behind, and which answers with a page."""

    page = "<html>"

    def date_time_string(self, timestamp: float | None = None) -> str:
        return "Mon, 01 Jan 2024 00:00:00 GMT"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.page.encode())

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.mark.parametrize("body", ["{}", "[]", "[1]", '[{"name": "a"}]', '"x"', "null", "5", "<html>"])
def test_something_else_at_the_management_address(tmp_path: Path, body: str) -> None:
    class Else(_Late):
        page = body

    with HTTPServer(("127.0.0.1", 0), Else) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        at = Address("127.0.0.1", other.server_port)
        try:
            assert codes(diagnose(SetUp(None, management=at))) == ["management-unreachable"]
            if body != "[]":  # nobody connected, nothing published
                with pytest.raises(CannotRun, match="no control plane answers"):
                    status(at)
        finally:
            other.shutdown()


def test_an_issuer_that_answers_wrongly_and_with_another_time(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), _Late) as late:
        threading.Thread(target=late.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{late.server_port}/jwks"
        bearer = {"issuer": "https://i.test", "audiences": ["pets"], "jwks": {"url": url}}
        found = codes(diagnose(SetUp(project(tmp_path, security={"bearer": bearer}))))
        late.shutdown()
    assert found == ["keys-unusable", "clock-skew"]


def test_the_command_says_it_in_order_with_the_fix(tmp_path: Path) -> None:
    ended = sidegate("doctor", tmp_path / "nowhere", "--run", tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert "ok  Envoy" in ended.stdout
    assert "bad [sources-missing]" in ended.stdout
    assert "    Next: sidegate init" in ended.stdout
    listed = json.loads(sidegate("doctor", tmp_path / "nowhere", "--run", tmp_path, "--format", "json").stdout)
    assert [each["code"] for each in listed] == ["sources-missing"]
