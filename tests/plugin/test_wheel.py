"""A wheel, installed where nothing else is; the README's page on contract tests, followed by a new user."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not UV.is_file(), reason="there is no uv beside the interpreter"),
]


def _run(*command: str | Path, cwd: Path) -> str:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=kept, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def _uv(*words: str | Path, cwd: Path) -> None:
    """From what is cached, as far as that has everything; else from the registry."""
    try:
        _run(UV, *words, "--offline", cwd=cwd)
    except AssertionError:
        _run(UV, *words, cwd=cwd)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel and its extra `test`, in the versions of the lock."""
    folder = tmp_path_factory.mktemp("wheel")
    for package in ("xds", "sidecar", "pytest_sidegate"):
        shutil.copytree(ROOT / package, folder / "source" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    _uv("build", "-q", "--wheel", "-o", folder / "dist", folder / "source", cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    _uv("venv", "-q", "--python", sys.executable, folder / "venv", cwd=folder)
    binaries = folder / "venv" / "bin"
    wanted = f"sidegate[test] @ {wheel.as_uri()}"
    locked = ROOT / "requirements-dev.lock"
    _uv("pip", "install", "-q", "--python", binaries / "python", wanted, "-c", locked, cwd=folder)
    return binaries


def test_the_readmes_page(installed: Path, tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- (test_contract\.py) -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found, "the README has a first contract test"
    _run(installed / "sidegate", "init", ".", "--service", "pets", cwd=tmp_path)
    (tmp_path / found[1]).write_text(found[2])
    (tmp_path / "pytest.ini").write_text("[pytest]\nsidegate_rego = true\ntestpaths = . policies\n")
    told = _run(installed / "python", "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", cwd=tmp_path)
    passed = set(re.findall(r"^PASSED \S*?::(\S+)", told, re.MULTILINE))
    assert {
        "test_what_the_contract_shows[hello]",
        "test_nothing_else_gets_through[hello]",
        "test_nobody_is_not_greeted",
        "test_other_answers",
        "pets/authz_test/test_nobody_is_not[embedded]",
    } <= passed, told
    assert "failed" not in told


def test_the_extra_is_needed_for_the_fixtures_only(installed: Path, tmp_path: Path) -> None:
    """A session that has nothing to do with contracts sees nothing of the plugin but its options."""
    (tmp_path / "test_else.py").write_text("import sys\n\ndef test_it():\n    assert 'xds' not in sys.modules\n")
    told = _run(installed / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_else.py", cwd=tmp_path)
    assert "1 passed" in told
