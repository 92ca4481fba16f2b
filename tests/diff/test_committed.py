"""What `sidegate init` writes for CI systems and git, run as it is written, in a repository of a service."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.cli.command import ROOT, sidegate

Steps = list[subprocess.CompletedProcess[str]]

EVERY = slice(None)

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


@pytest.fixture(params=[".", "hello/sidegate"])
def project(request: pytest.FixtureRequest) -> str:
    """Where the project is in its repository: at the top, or in a chart."""
    return str(request.param)


@pytest.fixture
def service(tmp_path: Path, project: str) -> Path:
    """A clone of a service's repository, on a branch of its own."""
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    done(f"git init -q --bare -b main {origin} && git clone -q {origin} {clone}", tmp_path)
    done("git checkout -q -b main", clone)
    assert sidegate("init", project, "--service", "shop", cwd=clone).returncode == 0
    done("git add . && git commit -q -m first && git push -q origin main && git checkout -q -b change", clone)
    done("git remote set-head origin main", clone)
    return clone


def contract_of(service: Path) -> Path:
    return next(service.glob("**/contracts/shop/v1.yaml"))


def break_it(service: Path) -> None:
    contract = contract_of(service)
    contract.write_text(contract.read_text().replace("maximum: 10", "maximum: 5"))


def github(service: Path, before: str = "", only: slice = EVERY) -> Steps:
    """The steps of the workflow that are scripts, as GitHub runs them for a pull request; `before`: for a push after that."""
    [written] = (service / ".github/workflows").iterdir()
    [job] = yaml.safe_load(written.read_text())["jobs"].values()
    steps = [step for step in job["steps"] if "run" in step]
    assert len(steps) == 4
    assert [step["env"] for step in steps if "env" in step] == [{"BEFORE": "${{ github.event.before }}"}]
    env = {"GITHUB_BASE_REF": "", "BEFORE": before} if before else {"GITHUB_BASE_REF": "main", "BEFORE": ""}
    return [run(step["run"], service, "bash", **env) for step in steps[only]]


def gitlab(service: Path, before: str = "", only: slice = EVERY) -> Steps:
    """The lines of the job, as GitLab runs them for a merge request; `before`: for a push after that."""
    included = yaml.safe_load((service / ".gitlab-ci.yml").read_text())["include"][0]["local"]
    [job] = yaml.safe_load((service / included).read_text()).values()
    branch = "" if before else "main"
    env = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": branch, "CI_DEFAULT_BRANCH": "main"}
    return [run(line, service, CI_COMMIT_BEFORE_SHA=before or "0" * 40, **env) for line in job["script"][only]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "steps", "broken", "project"),
    [("github", github, 2, "."), ("github", github, 2, "hello/sidegate"), ("gitlab", gitlab, 2, "hello/sidegate")],
    indirect=["project"],
)
def test_a_job_passes_and_finds_what_breaks(
    service: Path, project: str, system: str, steps: Callable[..., Steps], broken: int
) -> None:
    assert sidegate("init", project, "--ci", system, cwd=service).returncode == 0
    good = steps(service)
    assert [step.returncode for step in good] == [0] * len(good), [step.stdout + step.stderr for step in good]
    break_it(service)
    found = steps(service)
    assert [number for number, step in enumerate(found) if step.returncode] == [broken]
    assert "request-parameter-max-decreased" in found[broken].stdout
    assert contract_of(service).relative_to(service).as_posix() in found[broken].stdout
    # A push: the branch holds it by now, so it is compared with what it held before.
    before = done("git rev-parse HEAD", service).strip()
    done("git commit -q -a -m breaks && git push -q origin change:main && git fetch -q", service)
    for known in (before, "0" * 40):  # also the first of a branch, or one that was forced
        [compared] = steps(service, known, slice(broken, broken + 1))
        assert (compared.returncode, "request-parameter-max-decreased" in compared.stdout) == (1, True), compared.stderr


@pytest.mark.parametrize("project", ["."], indirect=True)
def test_nothing_is_overwritten(service: Path) -> None:
    ours = service / ".gitlab-ci.yml"
    ours.write_text("stages: [test]\n")
    written = sidegate("init", "--ci", "gitlab", cwd=service)
    assert written.returncode == 0
    assert "add there\ninclude:\n  - local: .gitlab/sidegate.yml" in written.stdout
    assert ours.read_text() == "stages: [test]\n"
    assert sidegate("init", "--ci", "gitlab", cwd=service).returncode == 3
    assert sidegate("init", "--hook", cwd=service.parent).returncode == 3


@pytest.mark.parametrize("project", ["hello/sidegate"], indirect=True)
def test_jobs_are_for_a_folder_with_contracts(service: Path) -> None:
    """At the top of a repository whose project is in a chart nothing would be found; names are those of the folders."""
    refused = sidegate("init", "--ci", "github", "--hook", cwd=service)
    assert (refused.returncode, "has no contracts/" in refused.stderr) == (3, True)
    assert not (service / ".github").exists()
    assert sidegate("init", "hello/sidegate", "--service", "more", cwd=service).returncode == 0
    assert sidegate("init", "--ci", "gitlab", cwd=service / "hello/sidegate").returncode == 0
    assert (service / ".gitlab/sidegate-hello.yml").exists()
    done("cp -r hello bye", service)
    assert "- local: .gitlab/sidegate-bye.yml" in sidegate("init", "bye/sidegate", "--ci", "gitlab", cwd=service).stdout


@pytest.mark.slow
def test_the_hook_lets_through_what_is_good(service: Path, project: str) -> None:
    assert sidegate("init", project, "--hook", cwd=service).returncode == 0
    break_it(service)
    refused = run("git commit -q -a -m breaks", service)
    assert refused.returncode != 0
    assert "request-parameter-max-decreased" in refused.stdout + refused.stderr
    contract = contract_of(service)
    why = "x-sidegate: {breaking: [{id: request-parameter-max-decreased, reason: nobody is greeted so often}]}\n"
    contract.write_text(contract.read_text() + why)
    done("git commit -q -a -m 'breaks, and says why'", service)


@pytest.mark.slow
def test_the_hook_looks_at_what_is_staged(service: Path, project: str) -> None:
    """Not at what is being edited; and at no commit of something else."""
    assert sidegate("init", project, "--hook", cwd=service).returncode == 0
    contract = contract_of(service)
    good = contract.read_text()
    contract.write_text(good.replace("type: integer", "type: integr"))
    done("git add .", service)
    contract.write_text(good)
    refused = run("git commit -q -m broken", service)
    assert refused.returncode != 0
    assert "type: integr" in refused.stdout + refused.stderr
    done("git add .", service)
    contract.write_text(good.replace("type: integer", "type: integr"))
    (service / "README.md").write_text("# Shop\n")
    done("git add README.md && git commit -q -m readme", service)
    contract.write_text(good.replace("A greeting", "A kind greeting"))
    done("git add .", service)
    contract.write_text("no contract")
    done("git commit -q -m kind", service)
    assert "A kind greeting" in done(f"git show HEAD:{contract.relative_to(service)}", service)


@pytest.mark.slow
def test_the_hooks_of_this_repository(service: Path, project: str) -> None:
    """As pre-commit runs them: the entry with the arguments, without file names, for files that their patterns find."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    args = () if project == "." else (project,)
    entries = {hook["id"]: " ".join((hook["entry"], *args)) for hook in hooks}
    contract = contract_of(service).relative_to(service).as_posix()
    settings = contract.replace("contracts/shop/v1.yaml", "sidegate.yaml")
    assert [bool(re.search(hook["files"], contract)) for hook in hooks] == [True, True, True]
    assert [bool(re.search(hook["files"], settings)) for hook in hooks] == [True, False, True]
    assert not any(re.search(hook["files"], "hello/values.yaml") for hook in hooks)
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
