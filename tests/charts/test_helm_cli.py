"""The same charts by the `helm` command of the other major version: equal objects, clean lint, packages that install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts.rendering import EXAMPLES, ROOT, Object, objects, one, render
from tests.charts.test_sidecar import ODD, held, odd
from tests.charts.test_sidegate import CASES as SHARED

pytestmark = pytest.mark.slow
EVERYTHING = SHARED["everything"]
SERVICES = ("catalog", "orders")
TEAM = EXAMPLES / "catalog"


def helm(binary: Path, *words: str | Path) -> str:
    """Run it. A Helm that was built from its module takes the cluster for Kubernetes 1.20 unless it is told."""
    if words[0] == "template" and "--kube-version" not in words:
        words += ("--kube-version", "1.34.0")
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


def test_both_versions_of_helm_keep_every_file(helm_binary: Path, team: Path, tmp_path: Path) -> None:
    text = helm(helm_binary, "template", "shop", odd(team, tmp_path), "--namespace", "prod")
    assert ODD.items() <= held(one(objects(text), "ConfigMap")).items()


def test_both_versions_of_helm_render_the_shared_chart_the_same(helm_binary: Path, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(EVERYTHING))
    chart = ROOT / "helm" / "sidegate"
    text = helm(helm_binary, "template", "sidegate", chart, "--namespace", "prod", "--values", values)
    assert ordered(objects(text)) == ordered(render(chart, EVERYTHING, "sidegate"))
    helm(helm_binary, "lint", "--strict", chart, "--values", values)


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


EDGE = "xds.secret=x,edge.enabled=true,edge.secret=e"
OLD = {
    "no native sidecars": ("1.28.0", TEAM, [], "has no native sidecars"),
    "no native sidecar of the edge": ("1.28.0", ROOT / "helm" / "sidegate", ["--set", EDGE], "has no native sidecars"),
    "no image volumes": ("1.30.0", TEAM, ["--set", "sidegate.sources.image=shop/contracts:1"], "has no image volumes"),
}


@pytest.mark.parametrize("case", OLD)
def test_what_an_older_kubernetes_has_not_is_told(case: str, helm_binary: Path) -> None:
    version, chart, flags, said = OLD[case]
    command = [helm_binary, "template", "shop", chart, "--kube-version", version, *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert said in done.stderr


def test_an_older_kubernetes_has_classic_containers(helm_binary: Path) -> None:
    flags = ("--kube-version", "1.28.0", "--set", "sidegate.containers=classic")
    found = objects(helm(helm_binary, "template", "shop", EXAMPLES / "catalog", *flags))
    assert len(one(found, "Deployment")["spec"]["template"]["spec"]["containers"]) == 3
