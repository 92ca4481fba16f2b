"""changed files -> a new Plan, swapped whole; the previous one is kept where the new one does not compile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sidecar.decision_log import DecisionLog, opened
from sidecar.masking import RULE, mask_of
from sidecar.plan import Plan, next_plan
from sidecar.received import Received
from xds.compile import Compilation
from xds.policy.bundle import Bundle
from xds.policy.engine import Engine
from xds.project.building import keep
from xds.project.project import Project
from xds.project.watch import changes
from xds.settings.decision_log import DecisionLog as Settings

log = logging.getLogger("sidegate.companion")


@dataclass(slots=True)
class Current:
    """The plan and the engine in force. Only `Reloader` writes it; readers take both at once between two awaits.

    `refused` says, by service, why the engine did not take its newest policies; those before them decide. `log` is told of
    decisions, where the settings ask for one.
    """

    engine: Engine
    opa: str | None = None
    plan: Plan = field(default_factory=Plan)
    refused: Mapping[str, str] = field(default_factory=dict)
    log: DecisionLog | None = None


class Reloader:
    """Keeps `current` at what the project's files say, and tells `report` after each swap."""

    def __init__(
        self,
        root: Path,
        state: Path,
        current: Current,
        report: Callable[[float], Awaitable[None]],
        open_engine: Callable[[str | None], Engine],
        env: str | None = None,
        over: Mapping[str, Any] | None = None,
        packs: Iterable[Path] = (),
        received: Received | None = None,
    ) -> None:
        self.project = received or Project(root, state, env, closed=True, over=over, packs=packs)
        self._received = received
        self.current, self.report, self.open_engine = current, report, open_engine
        self._logged: Settings | None = None
        self._loading = asyncio.Lock()
        self._withheld: Mapping[str, str] = {}
        self._digests: Mapping[str, str] = {}

    async def run(self) -> None:
        """Load, then load again at every change, until cancelled."""
        if self._received is not None:
            async for _ in self._received.changes():
                await self.load()
            return
        await self.load()
        async for _ in changes(self.project.root, self.project.key_files, self.project.packs):
            await self.load()

    async def advise(self, wanted: Mapping[str, str], withheld: Mapping[str, str]) -> None:
        """What the control plane decided of contracts that break clients: it may have seen other changes than this companion,
        and its word counts."""
        ours = self.project.compatibility
        if (wanted, withheld) == (ours.accepted, ours.withheld):
            return
        noticed = time.monotonic()
        async with self._loading:  # a compilation under way was judged by the word before
            ours.accepted, ours.withheld = wanted, withheld
            taken = {name for name, digest in withheld.items() if self._digests.get(name) == digest}
            back = [self.project.take_back(service) for service in {name.partition("/")[0] for name in taken}]
            if any(back) or any(wanted.get(name) == digest for name, digest in self._withheld.items()):
                await self._load(noticed)

    async def load(self) -> None:
        """Compile what is there and swap it in. What does not compile leaves the previous in force."""
        noticed = time.monotonic()
        async with self._loading:
            await self._load(noticed)

    async def _load(self, noticed: float) -> None:
        try:
            compilation = await asyncio.to_thread(self.project.compile)
            self._withheld, self._digests = compilation.withheld, compilation.digests
            await self._swap(compilation)
            await self.report(time.monotonic() - noticed)
            keep()
        except Exception:
            log.exception("reload failed; the previous plan stays in force")

    async def _swap(self, compilation: Compilation) -> None:
        current = self.current
        plan = await asyncio.to_thread(next_plan, current.plan, compilation)
        before = current.engine
        if (opa := compilation.settings.opa) != current.opa:
            engine = self.open_engine(opa)
            refused = await engine.load(plan.bundles)
            current.engine, current.opa, current.refused = engine, opa, refused
            current.plan = _as_loaded(plan, {}, refused)
            await before.close()
        else:
            if plan.revisions == current.plan.revisions:
                current.refused = {}
            else:
                current.refused = await before.load(plan.bundles)
                plan = _as_loaded(plan, current.plan.bundles, current.refused)
            # No await between the engine's swap and this one: the input of a request is cut to what the policy reads.
            current.plan = plan
        await self._log_as(compilation)
        for service, problem in current.refused.items():
            log.error("the policies of %s are refused and those before them stay in force: %s", service, problem)

    async def _log_as(self, compilation: Compilation) -> None:
        """Open, close or keep the decision log, as the settings say, and mask it as contracts and policies say."""
        current, wanted = self.current, compilation.settings.decision_log
        if wanted != self._logged:
            before, current.log, self._logged = current.log, None, wanted
            if wanted is not None:
                current.log = opened(
                    wanted, self.project.root, lambda: current.engine, mask_of(compilation, wanted.mask)
                )
            if before is not None:
                await before.close()
        if current.log is not None and wanted is not None:
            current.log.mask = mask_of(compilation, wanted.mask)
            current.log.masking = frozenset(s for s, b in current.plan.bundles.items() if RULE in b.rules)


def _as_loaded(plan: Plan, before: Mapping[str, Bundle], refused: Mapping[str, str]) -> Plan:
    """The plan with the bundles that the engine holds: what a refused service had before, if it had any."""
    taken = {service: bundle for service, bundle in plan.bundles.items() if service not in refused}
    return replace(plan, bundles=taken | {service: before[service] for service in refused if service in before})
