"""A companion is ready once what routes name is judged here: before that, requests would be refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sidecar.plan import Plan, next_plan
from sidecar.reload import Current
from sidecar.report import Reporter
from tests.projects import compiled, pets
from tests.waiting import PATIENCE_S
from xds.policy.open import open_engine


class Line:
    """A control plane whose routes name `digests`, None while it is away; `asked` once somebody reported."""

    def __init__(self, digests: list[str] | None) -> None:
        self.digests, self.asked = digests, asyncio.Event()

    async def send(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.set()
        if self.digests is None:
            raise ConnectionError("away")
        return {"needed": {"pets/v1": self.digests}}

    async def close(self) -> None: ...


def missing(digests: list[str] | None, *, told: bool = True) -> list[str]:
    """What a companion with contracts lacks once it has told such a control plane, or before."""

    async def main() -> list[str]:
        line, current = Line(digests), Current(open_engine(None), plan=next_plan(Plan(), compiled(pets())))
        reporter = Reporter(line, "", current)
        if told:
            running = asyncio.create_task(reporter.run())
            await reporter.report(0.0)
            await asyncio.wait_for(line.asked.wait(), PATIENCE_S)
            await asyncio.sleep(0)
            running.cancel()
        return reporter.missing()

    return asyncio.run(main())


def held() -> str:
    return next_plan(Plan(), compiled(pets())).digests["pets/v1"][0]


def test_what_routes_name_is_held() -> None:
    assert missing([held()]) == []
    assert missing(["0" * 16, held()]) == []  # of a change, one is held by then


def test_routes_of_the_companions_beside_name_another() -> None:
    assert missing(["0" * 16]) == ["routes of pets/v1 name " + "0" * 16 + ", which is not held"]


def test_before_the_first_report_it_cannot_be_known() -> None:
    assert missing([held()], told=False) == ["the control plane was not told yet what is held"]


def test_a_control_plane_that_is_away_keeps_nobody_from_judging() -> None:
    assert missing(None) == []


def test_without_a_control_plane_nobody_is_waited_for() -> None:
    current = Current(open_engine(None), plan=next_plan(Plan(), compiled(pets())))
    assert Reporter(None, "", current).missing() == []
