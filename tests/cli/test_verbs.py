"""The command's verbs: what they print, and exit codes 0 clean, 1 findings, 2 usage, 3 could not run."""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.cli.command import ROOT, sidegate
from xds import __version__


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The repository's own project, copied."""
    for folder in ("contracts", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / "shop" / folder)
    shutil.copy(ROOT / "sidegate.yaml", tmp_path / "shop")
    return tmp_path / "shop"


def test_help_is_quick_and_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    done = sidegate("--help")
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"[sidegate --help: {1000 * took:.0f} ms]", end=" ")
    assert done.returncode == 0
    assert all(f"\n    {verb} " in done.stdout for verb in ("up", "check", "compile", "explain", "init"))


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, xds.cli; xds.cli.parser(['--help']); print(*sys.modules)"
    import subprocess
    import sys

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"envoy_data_plane", "connexion", "grpc", "yaml", "jsonschema_rs", "regopy", "asyncio"} & set(loaded)


def test_version_is_the_distribution_s() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert sidegate("--version").stdout == f"sidegate {__version__}\n"


@pytest.mark.parametrize("words", [(), ("fly",), ("check", "--format", "xml"), ("compile", "--type", "xyz")])
def test_usage_is_2(words: tuple[str, ...]) -> None:
    assert sidegate(*words).returncode == 2


def test_check_of_this_project_is_clean() -> None:
    done = sidegate("check")
    assert (done.returncode, done.stdout) == (0, "nothing found in 17 operations of 2 services\n")


def test_check_names_the_place_relative_to_where_it_runs(project: Path) -> None:
    contract = project / "contracts/catalog/v1.yaml"
    contract.write_text(contract.read_text().replace("maximum: 100,", "maximum: 100, maximum: 5,"))
    done = sidegate("check", "shop", cwd=project.parent)
    assert done.returncode == 1
    assert done.stdout.startswith("shop/contracts/catalog/v1.yaml:26:61: error[duplicate-key]: ")
    line, caret = done.stdout.splitlines()[1:3]
    assert line[caret.index("^") :].startswith("maximum: 5")


def test_check_of_one_file_in_a_project_keeps_to_it(project: Path) -> None:
    (project / "policies/orders/authz.rego").write_text("package orders.authz\nallow if {\n")
    assert sidegate("check", "contracts/catalog/v1.yaml", cwd=project).returncode == 0
    done = sidegate("check", "policies/orders/authz.rego", "--format", "json", cwd=project)
    assert done.returncode == 1
    assert {d["file"] for d in json.loads(done.stdout)} == {"policies/orders/authz.rego"}


def test_check_of_a_contract_that_stands_alone(tmp_path: Path) -> None:
    shutil.copy(ROOT / "contracts/orders/v1.yaml", tmp_path / "api.yaml")
    assert sidegate("check", "api.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "api.yaml").write_text("openapi: 4.0.0\ninfo: {title: x, version: '1'}\npaths: {}\n")
    done = sidegate("check", "api.yaml", "--format", "github", cwd=tmp_path)
    assert done.returncode == 1
    assert "file=api.yaml" in done.stdout


def test_check_of_a_policy_that_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "p.rego").write_text("package p.authz\n\nallow if {\n\tinput.x ==\n}\n")
    done = sidegate("check", "p.rego", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("p.rego:")


def test_check_of_nothing_cannot_run(tmp_path: Path) -> None:
    done = sidegate("check", "absent", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (3, "sidegate: there is no absent\n")


def test_compile_is_deterministic_and_whole() -> None:
    first, second = sidegate("compile", "--format", "json"), sidegate("compile", "--format", "json")
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert list(json.loads(first.stdout)) == ["clusters", "endpoints", "extensions", "listeners", "routes"]
    only = sidegate("compile", "--type", "cds")
    assert yaml.safe_load(only.stdout) == {"clusters": json.loads(first.stdout)["clusters"]}


def test_compile_prints_nothing_of_a_broken_project(project: Path) -> None:
    (project / "contracts/orders/v1.yaml").write_text("openapi: [")
    done = sidegate("compile", cwd=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert "contracts/orders/v1.yaml:" in done.stderr


def test_explain_an_operation() -> None:
    done = sidegate("explain", "catalog", "v1", "deleteItem")
    assert done.returncode == 0, done.stderr
    line = (ROOT / "contracts/catalog/v1.yaml").read_text().split("\n").index("    delete:") + 1
    place = f"contracts/catalog/v1.yaml:{line}"
    for words in ("DELETE /catalog/v1/items/{id}", "catalog/authz/allow", place, "companion"):
        assert words in done.stdout
    assert sidegate("explain", "catalog", "v1", "deleteItems").stderr == (
        "there is no operation 'deleteItems'; did you mean 'deleteItem'?\n"
    )


def test_explain_a_trace_needs_a_gateway() -> None:
    done = sidegate("explain", "0" * 32, "--management", "127.0.0.1:9")
    assert done.returncode == 3
    assert "Next: sidegate up" in done.stderr
    assert sidegate("explain", "nonsense").returncode == 2


@pytest.mark.parametrize("name", ["shop", "my-shop"])
def test_init_writes_a_project_that_is_clean(tmp_path: Path, name: str) -> None:
    done = sidegate("init", "--service", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sidegate("check", "--allow-warnings", cwd=tmp_path).stdout == "nothing found in 1 operations of 1 services\n"


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    assert sidegate("init", "--service", "shop", cwd=tmp_path).returncode == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert sidegate("init", "--service", "shop", cwd=tmp_path).returncode == 3
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    done = sidegate("init", "--service", "other", cwd=tmp_path)
    assert done.returncode == 0
    assert 'other: {upstream: "http://127.0.0.1:9000"}' in done.stdout
    assert all(p.read_bytes() == data for p, data in before.items())
