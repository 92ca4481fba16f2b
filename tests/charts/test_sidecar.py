"""The library chart in a team's chart: what it makes of the workload, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.charts.rendering import EXAMPLES, Object, render

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = ("1.29", "1.31", "1.33", "1.34", "1.37")
CATALOG = EXAMPLES / "catalog"

CASES: dict[str, dict[str, Any]] = {
    "pod": {},
    "classic": {"containers": "classic"},
    "central": {"control": "central", "central": {"secret": "catalog-xds"}},
    "redirect": {"traffic": "redirect"},
    "packs": {"sources": {"folder": "", "configMaps": ["catalog-pack", "platform"], "image": "shop/contracts:1"}},
    "settings": {
        "service": "catalog",
        "port": 8443,
        "user": None,
        "automountServiceAccountToken": True,
        "environment": "prod",
        "image": {"repository": "registry.test/sidegate", "digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
        "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}],
        "test": {"enabled": False},
    },
}


@pytest.fixture(scope="module")
def rendered(team: Path) -> dict[str, list[Object]]:
    return {name: render(team, {"sidegate": values}) for name, values in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_manifests_are_as_they_were_reviewed(case: str, rendered: dict[str, list[Object]]) -> None:
    text = "---\n".join(_dumped(each) for each in rendered[case] if each["kind"] != "Service")
    file = GOLDEN / f"sidecar-{case}.yaml"
    if os.environ.get("SIDEGATE_UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_takes_the_manifests(case: str, version: str, rendered: dict[str, list[Object]]) -> None:
    for each in rendered[case]:
        kubernetes_validate.validate(_without_news(each, version), version, strict=True)


def test_the_sources_are_the_files_of_the_chart() -> None:
    found = render(CATALOG)
    (made,) = [each for each in found if each["kind"] == "ConfigMap"]
    spec = _pod(found)
    items = spec["volumes"][0]["projected"]["sources"][0]["configMap"]["items"]
    assert {item["path"]: made["data"][item["key"]] for item in items} == dict(_texts(CATALOG / "sidegate"))


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(root, name)
            yield path.relative_to(folder).as_posix(), path.read_text()


def _pod(found: list[Object]) -> Any:
    (deployment,) = [each for each in found if each["kind"] == "Deployment"]
    return deployment["spec"]["template"]["spec"]


def _without_news(each: Object, version: str) -> Object:
    """Image volumes are older than some versions of these; asked of them is the rest."""
    if version < "1.31" and each["kind"] == "Deployment":
        each = deepcopy(each)
        spec = each["spec"]["template"]["spec"]
        spec["volumes"] = [volume for volume in spec["volumes"] if "image" not in volume]
    return each


def _dumped(each: Object) -> str:
    """The object, short; of a ConfigMap's data only the keys, since contracts are reviewed elsewhere."""
    shown = {**each, "data": dict.fromkeys(each["data"], "...")} if "data" in each else each
    return yaml.safe_dump(shown, default_flow_style=None, width=118, sort_keys=False)
