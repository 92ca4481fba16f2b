"""`sidegate doctor` beside a role, without the role's flags: a shared control plane, and a pod that such a one serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import sidegate
from tests.features.pki import Authority, Pair
from tests.roles.central import AUTHORITY, Central, central, certificate, write_pair
from tests.roles.running import Role
from tests.waiting import PATIENCE_S, until
from xds.address import UnixSocket
from xds.doctor import SetUp, diagnose
from xds.roles.told import FILE
from xds.up.ports import free_port


@pytest.fixture(scope="module")
def shared() -> Iterator[Central]:
    with central() as made:
        yield made


def said(run: Path, *words: object) -> list[str]:
    """The codes of what keeps it from serving, as a stranger reads them."""
    ended = sidegate("doctor", "--run", run, "--format", "json", *words, cwd=run.parent)
    assert ended.returncode in (0, 1), ended.stderr
    found = [each["code"] for each in json.loads(ended.stdout) if not each["mild"]]
    assert ended.returncode == bool(found)
    return found


def test_a_shared_control_plane_without_an_edge_is_well(shared: Central) -> None:
    """Nobody stands before all services there, and nobody has to."""
    assert said(shared.folder / "replica0") == []


def test_what_a_control_plane_refuses_is_found_without_its_sources(shared: Central) -> None:
    """Those out of Kubernetes are nowhere but in its process."""
    setup = SetUp(None, management=UnixSocket(str(shared.folder / "replica0/management.sock")), shared=True)
    contract = shared.sources / "contracts/toys/v1.json"
    before = contract.read_text()
    try:
        contract.write_text(before.replace('"integer"', '"integr"'))
        until(
            lambda: [each.code for each in diagnose(setup)] == ["sources-refused", "degraded"], lambda: diagnose(setup)
        )
        refused, degraded = diagnose(setup)
        assert refused.what.startswith("contracts/toys/v1.json:")
        assert "integr" in refused.what
        assert degraded.mild
    finally:
        contract.write_text(before)
    until(lambda: diagnose(setup) == [], lambda: diagnose(setup))


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        (certificate("toys"), "identity-refused"),
        (Authority("another").issue(uris=("spiffe://cluster.local/ns/shop/sa/pets",)), "control-plane-untrusted"),
    ],
)
def test_a_certificate_that_is_not_taken(shared: Central, tmp_path: Path, pair: Pair, code: str) -> None:
    """The role has the flags, the doctor beside it none."""
    crt, key = write_pair(tmp_path, "own", pair)
    run = shared.folder / f"pod-{code}"
    role = Role(
        tmp_path, "companion", "companion", "--service", "pets", "--xds", f"127.0.0.1:{shared.ports[0]}",
        "--xds-ca", str(shared.folder / "ca.crt"), "--xds-cert", crt, "--xds-key", key, "--xds-name", "cp.test",
        "--run", str(run), "--state", str(tmp_path / "state"), "--management", f"127.0.0.1:{free_port()}",
    )  # fmt: skip
    try:
        until((run / FILE).is_file, lambda: role.log, PATIENCE_S)
        assert said(run) == [code, "proxy-away"]
    finally:
        role.stop()


def test_a_control_plane_that_another_authority_vouches_for(shared: Central, tmp_path: Path) -> None:
    other = tmp_path / "ca.crt"
    other.write_text(Authority("another").pem)
    crt, key = write_pair(tmp_path, "own", certificate("pets"))
    flags = ("--xds", f"127.0.0.1:{shared.ports[0]}", "--xds-ca", other, "--xds-cert", crt, "--xds-key", key)
    assert said(tmp_path / "run", *flags, "--xds-name", "cp.test", "--service", "pets") == ["control-plane-untrusted"]
    (tmp_path / "ca.crt").write_text(AUTHORITY.pem)
    assert said(tmp_path / "run", *flags, "--xds-name", "cp.test", "--service", "pets") == []
    assert said(tmp_path / "run", *flags, "--xds-name", "another.test") == ["control-plane-untrusted"]
