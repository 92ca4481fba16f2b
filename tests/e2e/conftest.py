"""Fixtures of end-to-end tests: an upstream's journal, a collector, an issuer, and the shop that most of them ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.collector import Collector
from tests.e2e.journal import Journal
from tests.e2e.shop import Shop, serve
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


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The project of this folder, served; for tests that change no file of it and end no part."""
    with serve(tmp_path_factory.mktemp("shop")) as running:
        yield running
