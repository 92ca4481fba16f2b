"""The same charts by the `helm` command of the other major version: equal objects, clean lint, packages that install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.charts.rendering import EXAMPLES, ROOT, Object, objects, render

pytestmark = pytest.mark.slow
SERVICES = ("catalog", "orders")


def helm(binary: Path, *words: str | Path) -> str:
    done = subprocess.run([binary, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ordered(found: list[Object]) -> list[Object]:
    """By kind and name: the command prints objects in the order in which it would install them."""
    return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))


@pytest.mark.parametrize("service", SERVICES)
def test_both_versions_of_helm_render_the_same(service: str, helm_binary: Path) -> None:
    text = helm(helm_binary, "template", "shop", EXAMPLES / service, "--namespace", "prod")
    assert ordered(objects(text)) == ordered(render(EXAMPLES / service))


@pytest.mark.parametrize("service", SERVICES)
def test_lint_has_nothing_to_say(service: str, helm_binary: Path) -> None:
    helm(helm_binary, "lint", "--strict", EXAMPLES / service)


def test_a_team_takes_the_library_as_a_dependency(helm_binary: Path, tmp_path: Path) -> None:
    """What the README says: Chart.yaml, `helm dependency update`, a package that holds everything."""
    chart = tmp_path / "catalog"
    shutil.copytree(EXAMPLES / "catalog", chart)
    shutil.rmtree(chart / "charts")
    about = chart / "Chart.yaml"
    about.write_text(about.read_text().replace("../../../helm", str(ROOT / "helm")))
    helm(helm_binary, "dependency", "update", chart)
    helm(helm_binary, "package", chart, "--destination", tmp_path)
    text = helm(helm_binary, "template", "shop", tmp_path / "catalog-0.1.0.tgz", "--namespace", "prod")
    assert ordered(objects(text)) == ordered(render(EXAMPLES / "catalog"))
