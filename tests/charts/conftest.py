"""A team's chart whose sources do not change with the examples."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.charts.helm_cli import helm_binary
from tests.charts.judging import judge
from tests.charts.rendering import EXAMPLES

__all__ = ["helm_binary", "judge"]

SOURCES = Path(__file__).parent / "sources"


@pytest.fixture(scope="session")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog's chart with the sources of this folder."""
    chart = tmp_path_factory.mktemp("team") / "catalog"
    shutil.copytree(
        EXAMPLES / "catalog", chart, ignore=lambda folder, _: ["sidegate"] if folder.endswith("catalog") else []
    )
    shutil.copytree(SOURCES, chart / "sidegate")
    return chart
