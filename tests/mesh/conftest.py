"""One mesh for all modules of this folder (one for each xdist worker that runs some of them)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mesh.load import ALLOWED
from tests.mesh.world import World, running


@pytest.fixture(scope="package")
def mesh() -> Iterator[World]:
    with running() as made:
        yield made


@pytest.fixture
def world(mesh: World) -> Iterator[World]:
    """The mesh; every case ends with one that works, and nothing ever failed open (O3, O8)."""
    yield mesh
    for target in ALLOWED:
        mesh.well(target)
    for name in mesh.everybody:
        assert not any(mesh.stats(name, "ext_authz.*failure_mode_allowed").values())


@pytest.fixture
def orders(world: World) -> Iterator[Path]:
    """The contract of orders; it is as it was again after the test."""
    path = world.sources / "contracts/orders/v1.yaml"
    before = path.read_text()
    yield path
    path.write_text(before)
