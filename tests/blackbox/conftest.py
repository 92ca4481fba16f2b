"""One gateway for the session (one for each xdist worker), and the oracle that can only be asked at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.blackbox.case import Case
from tests.blackbox.oracles import explained, judge
from tests.blackbox.start import world as start
from tests.blackbox.world import Seen, World

POOLED = 400
"""Connections that the proxy may keep in its pools: what it allows to be under way at once, and some."""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with start(tmp_path_factory.mktemp("blackbox")) as running:
        before = running.look()
        yield running
        unexplained = explained(running)
        after = running.look()
        broken = running.collector.broken
    assert not broken, f"O7: batches of spans that a collector refuses: {broken}"
    assert not unexplained, "O7, over the whole run:\n" + "\n".join(unexplained)
    grown = {r: p.fds - before.roles[r].fds for r, p in after.roles.items() if p.fds > before.roles[r].fds + POOLED}
    assert not grown, f"O4: descriptors grew over the run: {grown}"


@pytest.fixture
def run(world: World) -> Callable[[Case], Seen]:
    """Run a case in the session's world and judge it by every oracle."""

    def _run(case: Case) -> Seen:
        seen = world.run(case)
        judge(world, seen)
        return seen

    return _run
