"""What `sidegate init` writes for CI systems and git, run as it is written, in a repository of a service."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.cli.command import ROOT, sidegate

WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "N"), ("EMAIL", "n@example.com"))
}


@cache
def with_pip() -> Path:
    """The commands of an environment that has pip, as CI systems' have, and sidegate, as after its installation."""
    made = Path(tempfile.mkdtemp()) / "venv"
    atexit.register(shutil.rmtree, made.parent, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(made)], check=True, capture_output=True)
    inside = next((made / "lib").glob("python*/site-packages"))
    (inside / "installed.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")) + f"\n{ROOT}\n")
    return made / "bin"


def run(text: str, cwd: Path, shell: str = "sh", **env: str) -> subprocess.CompletedProcess[str]:
    """A script as a CI system runs it: in a shell that stops at the first failure, with the installed command on PATH."""
    path = os.pathsep.join((str(with_pip()), str(Path(sys.executable).parent), os.environ["PATH"]))
    around = {**os.environ, **WHO, "PATH": path, "PIP_NO_INDEX": "1", "GIT_CONFIG_GLOBAL": os.devnull, **env}
    return subprocess.run(
        [shell, "-e", "-c", text], cwd=cwd, env=around, capture_output=True, text=True, timeout=120, check=False
    )


def done(text: str, cwd: Path, **env: str) -> str:
    found = run(text, cwd, **env)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A clone of a service's repository, on a branch of its own."""
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    done(f"git init -q --bare -b main {origin} && git clone -q {origin} {clone}", tmp_path)
    done("git checkout -q -b main", clone)
    assert sidegate("init", "--service", "shop", cwd=clone).returncode == 0
    done("git add . && git commit -q -m first && git push -q origin main && git checkout -q -b change", clone)
    done("git remote set-head origin main", clone)
    return clone


def break_it(service: Path) -> None:
    contract = service / "contracts/shop/v1.yaml"
    contract.write_text(contract.read_text().replace("maximum: 10", "maximum: 5"))


def github(service: Path) -> list[subprocess.CompletedProcess[str]]:
    """The steps of the workflow that are scripts, as GitHub runs them for a pull request."""
    workflow = yaml.safe_load((service / ".github/workflows/sidegate.yml").read_text())
    steps = [step["run"] for step in workflow["jobs"]["sidegate"]["steps"] if "run" in step]
    assert len(steps) == 4
    return [run(step, service, "bash", GITHUB_BASE_REF="main", GITHUB_REF_NAME="1/merge") for step in steps]


def gitlab(service: Path) -> list[subprocess.CompletedProcess[str]]:
    """The lines of the job, as GitLab runs them for a merge request."""
    included = yaml.safe_load((service / ".gitlab-ci.yml").read_text())["include"][0]["local"]
    job = yaml.safe_load((service / included).read_text())["sidegate"]
    env = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_DEFAULT_BRANCH": "main"}
    return [run(line, service, **env) for line in job["script"]]


@pytest.mark.slow
@pytest.mark.parametrize(("system", "steps", "broken"), [("github", github, 2), ("gitlab", gitlab, 3)])
def test_a_job_passes_and_finds_what_breaks(service: Path, system: str, steps: object, broken: int) -> None:
    assert callable(steps)
    assert sidegate("init", "--ci", system, cwd=service).returncode == 0
    good = steps(service)
    assert [step.returncode for step in good] == [0] * len(good), [step.stdout + step.stderr for step in good]
    break_it(service)
    found = steps(service)
    assert [number for number, step in enumerate(found) if step.returncode] == [broken]
    assert "request-parameter-max-decreased" in found[broken].stdout
    assert "contracts/shop/v1.yaml" in found[broken].stdout


def test_nothing_is_overwritten(service: Path) -> None:
    ours = service / ".gitlab-ci.yml"
    ours.write_text("stages: [test]\n")
    written = sidegate("init", "--ci", "gitlab", cwd=service)
    assert written.returncode == 0
    assert "add there\ninclude:\n  - local: .gitlab/sidegate.yml" in written.stdout
    assert ours.read_text() == "stages: [test]\n"
    assert sidegate("init", "--ci", "gitlab", cwd=service).returncode == 3
    assert sidegate("init", "--hook", cwd=service.parent).returncode == 3


@pytest.mark.slow
def test_the_hook_lets_through_what_is_good(service: Path) -> None:
    assert sidegate("init", "--hook", cwd=service).returncode == 0
    break_it(service)
    refused = run("git commit -q -a -m breaks", service)
    assert refused.returncode != 0
    assert "request-parameter-max-decreased" in refused.stdout + refused.stderr
    contract = service / "contracts/shop/v1.yaml"
    why = "x-sidegate: {breaking: [{id: request-parameter-max-decreased, reason: nobody is greeted so often}]}\n"
    contract.write_text(contract.read_text() + why)
    done("git commit -q -a -m 'breaks, and says why'", service)


@pytest.mark.slow
def test_the_hooks_of_this_repository(service: Path) -> None:
    """As pre-commit runs them: the entry with the arguments, without file names."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    entries = {hook["id"]: " ".join((hook["entry"], *hook.get("args", ()))) for hook in hooks}
    assert entries.keys() == {"sidegate-check", "sidegate-diff", "sidegate-test"}
    for entry in entries.values():
        done(entry, service)
    break_it(service)
    assert [name for name, entry in entries.items() if run(entry, service).returncode] == ["sidegate-diff"]


def test_a_repository_without_a_commit_has_nothing_to_compare_with(tmp_path: Path) -> None:
    done("git init -q -b main", tmp_path)
    assert sidegate("init", "--service", "shop", cwd=tmp_path).returncode == 0
    first = run("sidegate diff --merge-base", tmp_path)
    assert (first.returncode, first.stderr) == (0, "there is nothing to compare with yet\n")
    assert run("sidegate diff --merge-base origin/main", tmp_path).returncode == 3
