"""Compilation, what companions hold -> a snapshot for each group of nodes, or the one before and why."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from xds.ads.identity import EDGE
from xds.ads.server import AdsServer
from xds.compile import Compilation
from xds.control.changed import changed
from xds.control.events import Diagnosed, Event, Live, PolicyLive
from xds.control.groups import EVERYTHING, Companion, Group, group_key
from xds.control.parts import ahead, next_for, part_of
from xds.control.stand import ANYWHERE, Stand
from xds.control.waning import FORGET_S, UNDER_WAY_S, idle, is_over, needed, observed
from xds.envoy import Profile, lower
from xds.envoy.codec import encode
from xds.envoy.named import named
from xds.model import Gateway, Service
from xds.project.building import building
from xds.snapshot import Snapshot, snapshot_of

log = logging.getLogger("sidegate")

AHEAD_S = 60.0
"""How long a replica whose companions hold something newer than its own sources waits for the same to come to it."""

STANDS = 64
"""In how many different places the proxies of one service may stand."""
ASKED = 1024
"""How many services that nobody has are remembered for nodes that named them."""


@dataclass(slots=True)
class Publisher:
    """Decides what each group of nodes is given, and when. Owned by one event loop; opens no file and no socket itself.

    A service version goes to a group only once every living companion of the group reports holding its digest; until
    then the group keeps what it has. A gateway without services is never published over one with some. `own` is the
    service whose proxies the settings' listeners are for; `on_use` is told of a service whose routes may name other digests.
    """

    profile: Profile
    ads: AdsServer
    on_event: Callable[[Event], None]
    keep: Callable[[str, Snapshot], None] = lambda _service, _snapshot: None
    own: str = EVERYTHING
    on_use: Callable[[str], None] = lambda _service: None
    wanted: Compilation = field(default_factory=Compilation)
    noticed: float = 0.0
    groups: dict[str, Group] = field(default_factory=dict)
    companions: dict[str, Companion] = field(default_factory=dict)
    _beside: dict[str, set[str]] = field(default_factory=dict)
    _asked: set[tuple[str, Stand]] = field(default_factory=set)
    _prepared: dict[str, tuple[Gateway, Snapshot]] = field(default_factory=dict)
    _announcing: asyncio.Task[None] | None = None

    def want(self, compilation: Compilation, noticed: float) -> None:
        """Take over a compilation; publish what of it may go out, to whom that still concerns."""
        before = self.wanted
        self.wanted, self.noticed = compilation, noticed
        self.ads.recheck()
        for service, stand in tuple(self._asked):
            self.join(service, stand)
        if compilation.diagnostics != before.diagnostics:
            known = frozenset(before.diagnostics)
            news = tuple(d for d in compilation.diagnostics if d.is_error or d not in known)
            serving = frozenset(n for n in compilation.refused if compilation.service(n))
            if news or before.refused - compilation.refused:
                self.on_event(Diagnosed(news, compilation.refused, serving))
        self.advance()

    def prepare(self) -> None:
        """Lower what companions are still at, so that it is ready when they report it."""
        for group in self.groups.values():
            if group.settled is self.wanted.gateway or not self.living(group.service):
                continue
            if (gateway := self._wanted_by(group)).services:
                with contextlib.suppress(Exception):  # told when it is to be published
                    self._lowered(group, gateway)

    def report(self, companion: Companion) -> None:
        """Take over a companion's report; publish what was waiting for it."""
        before = self.companions.get(companion.name)
        self.companions[companion.name] = companion
        self._beside.setdefault(companion.service, set()).add(companion.name)
        if before and before.revisions != companion.revisions:
            for service, revision in companion.revisions.items():
                if before.revisions.get(service) != revision:
                    self.on_event(PolicyLive(companion.seconds, service, revision))
        # Each time: what is held up by a companion that went away goes out with the next report of another.
        self.advance(companion.service)

    def heard(self, companion: Companion, patience: float) -> Companion:
        """Note that a companion was heard of now, and is to be again in so many seconds; unless it reported anew elsewhere."""
        if not self.speaks(companion):
            return companion
        self.companions[companion.name] = again = replace(companion, seen=time.monotonic(), patience=patience)
        return again

    def speaks(self, companion: Companion) -> bool:
        """Whether it is this report of a companion's that counts."""
        return self.companions.get(companion.name) is companion

    def leave(self, companion: Companion) -> None:
        """Let go of a companion that said that it goes, and publish what waited for it alone."""
        if self.speaks(companion):
            self._drop(companion)
            self.advance(companion.service)

    def needed(self, service: str) -> dict[str, list[str]]:
        """The digests that routes of a service's nodes may name."""
        return needed(self._of(service))

    def sweep(self) -> None:
        """Let go of companions, groups and digests that are long gone; publish what waited for companions gone by now."""
        now = time.monotonic()
        for companion in [c for c in self.companions.values() if now - c.seen > FORGET_S]:
            self._drop(companion)
        for group in tuple(self.groups.values()):
            before = group.in_use
            observed(group, self.ads, now)
            if group.in_use != before:
                self.on_use(group.service)
            if group.key != self.own and is_over(group, self._beside.get(group.service, ()), now):
                self._let_go(group)
        self.advance()

    def problems(self, service: str) -> tuple[str, ...]:
        """Why nodes of a service were not given what they should have by now."""
        return tuple(dict.fromkeys(problem for group in self._of(service) for problem in group.problems))

    def _of(self, service: str) -> list[Group]:
        return [group for group in self.groups.values() if group.service == service]

    def _let_go(self, group: Group) -> None:
        """Forget a group, unless a node of it is there. It is made anew for whoever comes back."""
        if self.ads.forget(group.key):
            del self.groups[group.key]
            self._prepared.pop(group.key, None)
            self.on_use(group.service)

    def _drop(self, companion: Companion) -> None:
        del self.companions[companion.name]
        beside = self._beside[companion.service]
        beside.discard(companion.name)
        if not beside:
            del self._beside[companion.service]

    def living(self, service: str) -> list[Companion]:
        """The companions of a group that were heard of lately."""
        now = time.monotonic()
        beside = (self.companions[name] for name in sorted(self._beside.get(service, ())))
        return [companion for companion in beside if companion.lives(now)]

    def join(self, service: str, stand: Stand = ANYWHERE) -> str:
        """Make the group of a node when its first node or companion comes; a service nobody has waits until it is there.

        Returns the group's key. Raises ValueError if nodes of a service say to stand in too many places.
        """
        key = group_key(service, stand)
        if key in self.groups:
            return key
        if service != EVERYTHING and self.wanted.service(service) is None:
            if len(self._asked) < ASKED:
                self._asked.add((service, stand))
            return key
        beside = self._of(service)
        if len(beside) >= STANDS and (unused := idle(beside, self.ads)):
            self._let_go(unused)
        elif len(beside) >= STANDS:
            raise ValueError(f"the nodes of {service or EDGE} stand in more than {STANDS} places")
        self._asked.discard((service, stand))
        self.groups[key] = Group(service, stand)
        self.advance()
        return key

    def advance(self, service: str | None = None) -> None:
        """Give every group what it may have by now, or those of one service."""
        for group in [*self.groups.values()] if service is None else self._of(service):
            if group.settled is self.wanted.gateway:
                continue
            try:
                gateway = self._next(group)
                if gateway == group.gateway or not gateway.services:
                    self._settle(group)
                    continue
                self._publish(group, gateway)
            except Exception as error:
                # Whatever a builder did not expect: what is in force stays, and readiness says so.
                group.problems = (f"{type(error).__name__}: {error}",)
                log.exception("not published; the last good snapshot stays in force")

    def _settle(self, group: Group) -> None:
        """Nothing that companions report changes what a group has once it has all that is wanted for it."""
        group.settled, group.problems = self.wanted.gateway if group.gateway == self._wanted_by(group) else None, ()

    def _wanted_by(self, group: Group) -> Gateway:
        return part_of(self.wanted.gateway, group.service, self.own)

    def _next(self, group: Group) -> Gateway:
        companions = self.living(group.service)
        return next_for(group, self.wanted.gateway, companions, lambda s: self._older(companions, s), self.own)

    def _older(self, companions: list[Companion], service: Service) -> bool:
        """Whether companions hold something newer than these sources: another replica may have given it to the proxies
        already, and routes must not go back. Not for ever, since who is right cannot be told."""
        if service.name in self.wanted.refused or time.monotonic() - self.noticed > AHEAD_S:
            return False
        return ahead(companions, service)

    def _publish(self, group: Group, gateway: Gateway) -> None:
        started = time.perf_counter()
        before, snapshot = group.gateway, self._lowered(group, gateway)
        group.problems = snapshot.consistent()
        if group.problems:
            log.error("not published: %s", "; ".join(group.problems))
            return
        self.ads.publish(group.key, snapshot)
        group.gateway, group.snapshot = gateway, snapshot
        now = named(gateway)
        group.named, group.former = now, group.former_for(now)
        for version in (v for s in gateway.services for v in s.versions):
            name = f"{version.service}/{version.name}"
            group.in_use[name] = tuple(dict.fromkeys((version.digest, *group.in_use.get(name, ()))))
        self.on_use(group.service)
        self.keep(group.key, snapshot)
        log.debug("lowered in %.0f ms", 1000 * (time.perf_counter() - started))
        self._announcing = asyncio.get_running_loop().create_task(self._announce(group, before))

    def _lowered(self, group: Group, gateway: Gateway) -> Snapshot:
        """The snapshot for a gateway; the last one of each group is kept, since it is prepared before it may go out."""
        known = self._prepared.get(group.key)
        if known is None or known[0] != gateway:
            with building():
                both = replace(gateway, former=group.former_for(named(gateway)))
                snapshot = snapshot_of(
                    lower(group.stand.placed(both), group.stand.profile(self.profile)), encode, group.snapshot
                )
            known = self._prepared[group.key] = gateway, snapshot
        return known[1]

    async def _announce(self, group: Group, before: Gateway) -> None:
        """Say what is live once every proxy holds it. Nothing of this delays the proxies."""
        try:
            await self._said_live(group, before)
        except Exception:
            log.exception("what is live cannot be told; it is published all the same")

    async def _said_live(self, group: Group, before: Gateway) -> None:
        gateway, snapshot = group.gateway, group.snapshot
        missing = await self.ads.live(group.key, timeout=30.0)
        if not missing and group.snapshot is snapshot:
            observed(group, self.ads, time.monotonic())
            asyncio.get_running_loop().call_later(UNDER_WAY_S, group.forget, group.former.cached)
            self.on_use(group.service)
            seconds = time.monotonic() - self.noticed
            operations = await asyncio.to_thread(changed, before, gateway)
            names = tuple(sorted({o.place.file.split("/")[1] for o in operations}))
            self.on_event(Live(seconds, len(operations), names, first=not before.services))
