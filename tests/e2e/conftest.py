"""Fixtures of end-to-end tests: an upstream's journal, a collector, an issuer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.collector import Collector
from tests.e2e.journal import Journal
from tests.e2e.tokens import Issuer


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def journal() -> Iterator[Journal]:
    with Journal() as running:
        yield running


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running
