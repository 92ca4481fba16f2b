"""Flags and variables of the roles; what does not go together, and what would open a door, is refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import sidegate
from xds.address import Address, UnixSocket, where
from xds.cli import parser
from xds.control.stand import ANYWHERE, Stand
from xds.envoy.profile import Profile
from xds.failure import Misused
from xds.roles import bootstrap
from xds.roles.companion import command as companion
from xds.roles.control_plane import files_of, namespace_of
from xds.roles.envoy import command as envoy


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEGATE_SERVICE", "pets")
    monkeypatch.setenv("SIDEGATE_READY", "0.0.0.0:9181")
    monkeypatch.setenv("SIDEGATE_PROBE", "9000/healthz 9000/ready")
    words = ["envoy", "--service", "toys"]
    assert parser(words).parse_args(words).service == "toys"
    assert parser(["envoy"]).parse_args(["envoy"]).service == "pets"
    assert parser(["envoy"]).parse_args(["envoy"]).ready == Address("0.0.0.0", 9181)
    assert parser(["sidecar"]).parse_args(["sidecar"]).probe == ["9000/healthz", "9000/ready"]


def test_places() -> None:
    assert where("unix:/run/a.sock") == where("/run/a.sock") == UnixSocket("/run/a.sock")
    assert where("[::1]:80") == Address("::1", 80)
    assert UnixSocket("/run/a.sock").url == "http+unix://%2Frun%2Fa.sock"
    for wrong in ("unix:a.sock", "/" + "a" * 200, "nowhere", "host:99999"):
        with pytest.raises(ValueError, match=r"is no"):
            where(wrong)


@pytest.mark.parametrize("place", ["0.0.0.0:9902", "10.0.0.1:9902", "[::]:9902"])
def test_a_control_plane_for_all_wants_certificates(place: str) -> None:
    """Without them whoever reaches the port would be given every service's secrets."""
    words = ["control-plane", "--xds", place]
    with pytest.raises(Misused, match="every service's secrets"):
        files_of(parser(words).parse_args(words))
    for here in ("127.0.0.1:9902", "unix:/run/xds.sock"):
        words = ["control-plane", "--xds", here]
        assert files_of(parser(words).parse_args(words)) is None


def test_a_control_plane_of_many_namespaces_says_which_is_its_own() -> None:
    """Without it a certificate of `edge` in any namespace would be given every service's secrets."""
    words = ["control-plane", "--kubernetes"]
    with pytest.raises(Misused, match="--own-namespace"):
        namespace_of(parser(words).parse_args(words))
    words += ["--own-namespace", "gateway"]
    assert namespace_of(parser(words).parse_args(words)) == "gateway"
    assert namespace_of(parser(["control-plane"]).parse_args(["control-plane"])) == ""


def test_half_of_a_certificate_is_refused(tmp_path: Path) -> None:
    said = sidegate("control-plane", tmp_path, "--xds-cert", tmp_path / "a.crt", "--run", tmp_path / "run")
    assert (said.returncode, "go together" in said.stderr) == (2, True)
    said = sidegate("envoy", "--xds", "cp:9902", "--xds-ca", tmp_path / "ca.crt", "--run", tmp_path / "run")
    assert (said.returncode, "go together" in said.stderr) == (2, True)


def test_a_companion_of_a_shared_control_plane_has_no_folder_and_no_upstream(tmp_path: Path) -> None:
    """Its sources are those of the control plane, or its digests would be others."""
    words = [
        "companion",
        "--service",
        "pets",
        "--xds",
        "cp:9902",
        "--upstream",
        "http://127.0.0.1:1",
        "--run",
        str(tmp_path),
    ]
    line = companion(parser(words).parse_args(words))
    assert "--dir" not in line
    assert "--upstream" not in line
    assert line[line.index("--service") + 1] == "pets"
    words = ["companion", str(tmp_path), "--service", "edge", "--run", str(tmp_path)]
    line = companion(parser(words).parse_args(words))
    assert line[line.index("--dir") + 1] == str(tmp_path)
    assert "--service" not in line


def test_what_envoy_is_started_with(tmp_path: Path) -> None:
    words = ["envoy", "--service", "pets", "--run", str(tmp_path), "--drain", "7", "--upstream", "http://127.0.0.1:9"]
    line = envoy(parser(words).parse_args(words), Path("/bin/envoy"))
    assert line[line.index("--drain-time-s") + 1] == "7"
    assert line[line.index("--drain-strategy") + 1] == "immediate"
    assert '"upstream": "http://127.0.0.1:9"' in (tmp_path / "envoy.json").read_text()


def test_where_a_proxy_says_that_it_stands() -> None:
    base = Profile(("0.0.0.0", 8080), "/run/companion.sock")
    told = {"listen": "127.0.0.1:1", "companion": "127.0.0.1:2", "upstream": "http://127.0.0.1:3", "service": "pets"}
    stand = Stand.of(told)
    assert stand.profile(base).listen == ("127.0.0.1", 1)
    assert stand.profile(base).companion == ("127.0.0.1", 2)
    assert str(stand)
    assert Stand.of({"service": "pets"}) == ANYWHERE
    assert ANYWHERE.profile(base) == base
    for wrong in (
        {"upstream": "http://10.0.0.1:80"},
        {"upstream": "http://metadata:80"},
        {"listen": "x"},
        {"companion": "x"},
    ):
        with pytest.raises(ValueError, match=r"loopback|HOST:PORT"):
            Stand.of(wrong)


@pytest.mark.parametrize(("place", "family"), [("cp.test:1", "ALL"), ("127.0.0.1:1", None), ("unix:/a", None)])
def test_a_control_plane_by_name_is_tried_at_every_address(place: str, family: str | None) -> None:
    """Envoy asks for IPv6 alone where a name has both, and replicas listen on one of them."""
    made = bootstrap.standing(bootstrap.Stand("pod-1", "pets", (where(place),), UnixSocket("/a")), Path("/run"))
    (ads, *_) = made["static_resources"]["clusters"]
    assert ads.get("dns_lookup_family") == family
