"""The `helm` command for tests: found, or built once where Go is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSION = "3.22.0"


def _cached() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "sidegate" / "bin" / f"helm-{VERSION}" / "helm"


def find_helm() -> Path | str:
    """The command (`SIDEGATE_HELM`, PATH, the cache, or built into the cache), or why there is none."""
    for candidate in (os.environ.get("SIDEGATE_HELM"), shutil.which("helm"), str(_cached())):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    if not shutil.which("go"):
        return "no Helm: SIDEGATE_HELM is not set, `helm` is not on PATH, and there is no Go to build it with"
    target = _cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["go", "install", f"helm.sh/helm/v3/cmd/helm@v{VERSION}"]
    env = {**os.environ, "GOBIN": str(target.parent)}
    built = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
    return target if target.is_file() else f"Helm cannot be built: {built.stderr.strip()[-300:]}"


@pytest.fixture(scope="session")
def helm_binary() -> Path:
    """The command, or a skip that says why there is none."""
    found = find_helm()
    if isinstance(found, str):
        pytest.skip(found)
    return found
