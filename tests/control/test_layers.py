"""`--env NAME`: sidegate.NAME.yaml over sidegate.yaml, live, with diagnostics in the file that said it; `diff-env`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sidecar.reload import Current, Reloader
from tests.cli.command import sidegate
from tests.e2e.gateway import Gateway
from tests.projects import SETTINGS, jwks, pets, tree, write
from tests.waiting import until
from xds.compile import Compilation, Compiler
from xds.policy.open import open_engine
from xds.project.project import Project
from xds.settings.layers import layered
from xds.source import Tree

PROD = 'services: {pets: {upstream: "http://10.0.0.1:80", hosts: [pets.example.com]}}\n'


def _compiled(prod: str, settings: str = SETTINGS) -> Compilation:
    files = {**pets(settings=settings), "sidegate.prod.yaml": prod}
    return Compiler().compile(Tree(tree(files).files, env="prod"))


@pytest.mark.parametrize(
    ("lower", "upper", "both"),
    [
        ("{a: {b: 1, c: 2}}", "{a: {c: 3}}", "{a: {b: 1, c: 3}}"),
        ("{a: [1, 2]}", "{a: [3]}", "{a: [3]}"),
        ("{a: {b: 1}}", "{a: 7}", "{a: 7}"),
        ("{a: 7}", "{a: {b: 1, c: null}}", "{a: {b: 1}}"),
        ("{a: {b: 1}, d: 2}", "{a: null}", "{d: 2}"),
        ("{a: null}", "{b: 1}", "{a: null, b: 1}"),
        ("{a: 1}", "", "{a: 1}"),
    ],
)
def test_mappings_merge_and_all_else_is_replaced(lower: str, upper: str, both: str) -> None:
    assert layered(yaml.safe_load(lower), yaml.safe_load(upper)) == yaml.safe_load(both)


def test_a_layer_counts_where_it_is_asked_for() -> None:
    (service,) = _compiled(PROD).gateway.services
    assert (service.hosts, service.versions[0].upstream.host) == (("pets.example.com",), "10.0.0.1")
    files = tree({**pets(), "sidegate.prod.yaml": PROD})
    (plain,) = Compiler().compile(files).gateway.services
    assert (plain.hosts, plain.versions[0].upstream.host) == ((), "127.0.0.1")
    assert plain.versions[0].digest != service.versions[0].digest


@pytest.mark.parametrize(
    ("prod", "settings", "code", "where"),
    [
        ("services:\n  pets:\n    upstreem: x\n", SETTINGS, "settings-unknown-key", "sidegate.prod.yaml:3:5"),
        ("services:\n  pets: {hosts: [a/b]}\n", SETTINGS, "settings-invalid", "sidegate.prod.yaml:2:18"),
        ("services: {pets: {hosts: [a.b]}}\n", SETTINGS + "opaa: 1\n", "settings-unknown-key", "sidegate.yaml:4:1"),
        ("services: [", SETTINGS, "yaml-syntax", "sidegate.prod.yaml:2:1"),
        ("services: {dogs: {upstream: 'http://a:1'}}", SETTINGS, "service-unknown", "sidegate.prod.yaml:1:12"),
    ],
)
def test_diagnostics_name_the_file_that_said_it(prod: str, settings: str, code: str, where: str) -> None:
    (found,) = _compiled(prod, settings).diagnostics
    assert (found.code, str(found.span)) == (code, where)


def test_a_missing_layer_is_an_error() -> None:
    files = {**tree(pets()).files, "sidegate.staging.yaml": b""}
    (found,) = Compiler().compile(Tree(files, env="stagin")).diagnostics
    assert (found.code, found.help) == ("layer-missing", "did you mean 'staging'?")


def test_control_plane_and_companion_have_equal_digests(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {**pets(), "sidegate.prod.yaml": PROD})
    ours = Project(root, env="prod").compile()

    async def report(_: float) -> None: ...

    engine = open_engine(None, workers=1, deadline=1.0)
    theirs = Reloader(root, tmp_path / "state", Current(engine), report, open_engine, "prod").project.compile()
    assert ours.digests == theirs.digests != Project(root).compile().digests


def test_a_layer_is_watched(tmp_path: Path) -> None:
    """Saving the layer is live, and taking it away keeps what was last good."""
    root = write(tmp_path / "pets", {**pets(), "sidegate.prod.yaml": PROD})
    project = Project(root, tmp_path / "state", "prod")
    before = project.compile()
    assert "sidegate.prod.yaml" in project.key_files()
    (root / "sidegate.prod.yaml").unlink()
    after = project.compile()
    assert [d.code for d in after.diagnostics] == ["layer-missing"]
    assert after.gateway == before.gateway


def test_up_with_an_environment_is_live(tmp_path: Path) -> None:
    from tests.e2e.gateway import ask

    root = write(tmp_path / "pets", {**pets(), "sidegate.prod.yaml": PROD})
    with Gateway(root, "--env", "prod") as gateway:
        hosts = json.loads(gateway.manage("/services").body)[0]["hosts"]
        assert hosts == ["pets.example.com"]
        assert ask(f"{gateway.url}/pets/v1/open").status == 404, "another host than the layer's"
        (root / "sidegate.prod.yaml").write_text("services: {pets: {hosts: [localhost, 127.0.0.1]}}\n")
        until(lambda: ask(f"{gateway.url}/pets/v1/pets").status == 401)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path / "pets", {**pets(), "sidegate.prod.yaml": PROD, "sidegate.same.yaml": "opa: null\n"})


def test_diff_env_tells_settings_and_resources(project: Path) -> None:
    done = sidegate("diff-env", "prod", "--dir", project)
    assert done.returncode == 1, done.stderr
    assert '/services/pets/upstream: "http://127.0.0.1:9" -> "http://10.0.0.1:80"' in done.stdout
    assert "(sidegate.yaml:1:19, sidegate.prod.yaml:1:19)" in done.stdout
    assert "  cds pets/v1: changed\n" in done.stdout
    assert "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address" in done.stdout
    assert "  rds edge: changed\n" in done.stdout


def test_diff_env_as_json_and_of_equal_ones(project: Path) -> None:
    done = sidegate("diff-env", "--dir", project, "--format", "json")
    prod, same = json.loads(done.stdout)
    assert (prod["a"], prod["b"], same["b"]) == ("base", "prod", "same")
    assert {r["name"]: r["change"] for r in prod["resources"]} == {"pets/v1": "changed", "edge": "changed"}
    assert (same["settings"], same["resources"]) == ([], [])
    assert sidegate("diff-env", "same", "--dir", project).returncode == 0


def test_diff_env_says_what_does_not_compile(project: Path) -> None:
    (project / "sidegate.prod.yaml").write_text("services: {pets: {upstream: 7}}\n")
    done = sidegate("diff-env", "prod", "--dir", project)
    assert done.returncode == 1
    assert "sidegate.prod.yaml:1:19: error[upstream-invalid]" in done.stderr
    assert "not known" in done.stdout


@pytest.mark.parametrize("verb", [("check",), ("compile",), ("explain", "pets", "v1", "listPets"), ("up",)])
def test_every_verb_refuses_a_missing_layer(project: Path, verb: tuple[str, ...]) -> None:
    words = (*verb, "--dir", project) if verb[0] == "explain" else (*verb, project)
    done = sidegate(*words, "--env", "pord")
    assert done.returncode == 3
    assert "sidegate.pord.yaml for --env pord; did you mean 'prod'?" in done.stderr
    assert sidegate(*words, "--env", "../x").returncode == 2


def test_verbs_take_the_layer(project: Path) -> None:
    (project / "keys.json").write_text(jwks())
    assert "10.0.0.1" in sidegate("compile", project, "--env", "prod", "--type", "cds").stdout
    assert "10.0.0.1" in sidegate("explain", "pets", "v1", "listPets", "--dir", project, "--env", "prod").stdout
    (project / "sidegate.prod.yaml").write_text("servicess: {}\n")
    done = sidegate("check", "--env", "prod", cwd=project)
    assert (done.returncode, "sidegate.prod.yaml:1:1: error[settings-unknown-key]" in done.stdout) == (1, True)
