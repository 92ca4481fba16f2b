"""A chart and values -> its objects, by a real Helm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "charts"

Object = dict[str, Any]
Values = Mapping[str, Any]
Refused = helm_python.HelmError


def render(chart: Path, values: Values | None = None, name: str = "shop", namespace: str = "prod") -> list[Object]:
    """All objects of the release, those of NOTES.txt left out. Raises Refused where Helm would not install it."""
    with helm_python.Chart.load(chart) as loaded:
        texts = loaded.render(dict(values or {}), name=name, namespace=namespace)
    return [each for path in sorted(texts) if not path.endswith("NOTES.txt") for each in objects(texts[path])]


def notes(chart: Path, values: Values | None = None, name: str = "shop") -> str:
    """What Helm says after an installation."""
    with helm_python.Chart.load(chart) as loaded:
        texts = loaded.render(dict(values or {}), name=name, namespace="prod")
    return next(text for path, text in texts.items() if path.endswith("templates/NOTES.txt"))


def objects(text: str) -> list[Object]:
    """The documents of a manifest that are not empty."""
    return [each for each in yaml.safe_load_all(text) if each]


def one(found: list[Object], kind: str, suffix: str = "") -> Object:
    """The only object of that kind whose name ends so."""
    (only,) = [each for each in found if each["kind"] == kind and each["metadata"]["name"].endswith(suffix)]
    return only
