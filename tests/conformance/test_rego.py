"""OPA's compliance cases through both engines: what fails is listed by name, and the list may only shrink."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conformance.rego import CASES, Embedded, Opa, cases, verdict
from tests.opa_server import OpaServer, opa_binary, opa_server

__all__ = ["opa_binary", "opa_server"]

FAILURES = Path(__file__).with_name("rego_failures.yaml")
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="OPA's compliance cases are not beside this repository")


def _listed(engine: str) -> set[str]:
    return set(yaml.safe_load(FAILURES.read_text(encoding="utf-8"))[engine])


def _failing(engine: Embedded | Opa) -> dict[str, str]:
    wrong = ((case.id, verdict(case, *engine.ask(case))) for case in cases())
    return {name: words for name, words in wrong if words}


def _compare(failing: dict[str, str], listed: set[str]) -> None:
    new = {name: words for name, words in failing.items() if name not in listed}
    assert not new, f"{len(new)} cases fail that are not listed: {dict(list(new.items())[:5])}"
    passing = sorted(listed - failing.keys())
    assert not passing, f"listed as failing, but they pass; take them from {FAILURES.name}: {passing}"


@pytest.fixture
def embedded() -> Iterator[Embedded]:
    engine = Embedded()
    yield engine
    engine.close()


@pytest.mark.slow
def test_embedded_engine(embedded: Embedded) -> None:
    _compare(_failing(embedded), _listed("embedded"))


@pytest.mark.slow
def test_opa_server(opa_server: OpaServer) -> None:
    _compare(_failing(Opa(opa_server.port)), _listed("opa"))
