"""rules/charts.rego, by Sidegate's own engine: an object of a release -> why it may not be there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.charts.rendering import Object
from xds.policy.bundle import load_bundle
from xds.policy.evaluation import UNDEFINED, Evaluation

RULES = Path(__file__).parent / "rules" / "charts.rego"


class Judge:
    """Asks the rules; its engine is a process that `evaluation` ends."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    def denials(self, each: Object) -> list[str]:
        """Why the object may not be there."""
        found = self._evaluation.value("charts/deny", json.dumps({"object": each}))
        assert found is not UNDEFINED
        return sorted(found)

    def all(self, objects: list[Object]) -> list[str]:
        """Of a whole release, each with the object's name."""
        return [f"{each['kind']}/{each['metadata']['name']}: {said}" for each in objects for said in self.denials(each)]


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    bundle, diagnostics = load_bundle("charts", {"policies/charts/charts.rego": RULES.read_bytes()})
    assert not diagnostics
    with Evaluation(bundle) as evaluation:
        yield Judge(evaluation)
