"""The `helm` command for tests: found, or built once where Go is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.built import built, cached

VERSION = "3.22.0"


def find_helm() -> Path | str:
    """The command (`SIDEGATE_HELM`, PATH, the cache, or built into the cache), or why there is none."""
    for candidate in (os.environ.get("SIDEGATE_HELM"), shutil.which("helm")):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return built(cached("helm", VERSION, "helm"), f"helm.sh/helm/v3/cmd/helm@v{VERSION}")


@pytest.fixture(scope="session")
def helm_binary() -> Path:
    """The command, or a skip that says why there is none."""
    found = find_helm()
    if isinstance(found, str):
        pytest.skip(found)
    return found
