"""Compilation, what companions hold -> a snapshot for each group of nodes, or the one before and why."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from xds.ads.identity import EDGE
from xds.ads.server import AdsServer
from xds.compile import Compilation
from xds.control.events import Diagnosed, Event, Live, PolicyLive
from xds.control.share import ANYWHERE, Stand, schemes_of, secrets_of, share
from xds.envoy import Profile, lower
from xds.envoy.codec import encode
from xds.envoy.named import named
from xds.model import Gateway, Named, Operation, Service, Version
from xds.model.listeners import Tls
from xds.project.building import building
from xds.snapshot import Snapshot, snapshot_of

log = logging.getLogger("sidegate")

ALIVE_S = 6.0
"""A companion that has not reported for so long is gone: three reports are missing."""

AHEAD_S = 60.0
"""How long a replica whose companions hold something newer than its own sources waits for the same to come to it."""

FORGET_S = 600.0
"""How long a companion that is gone is still listed."""
STANDS = 64
"""In how many different places the proxies of one service may stand."""
ASKED = 1024
"""How many services that nobody has are remembered for nodes that named them."""

EVERYTHING = ""
"""The group of nodes that name no service: an edge gateway in front of all of them."""


@dataclass(frozen=True, slots=True)
class Companion:
    """What a companion last reported: where its admin API is, the digests and policy revisions it holds, and how many
    seconds passed between noticing a change and holding it. `problems` keep its policy engine from deciding."""

    node: str
    service: str
    admin: str
    digests: Mapping[str, tuple[str, ...]]
    revisions: Mapping[str, str]
    seen: float
    seconds: float = 0.0
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Group:
    """Nodes that get one snapshot: `service` alone, or everything, where they stand.

    `gateway` is what they are given, `settled` the wanted gateway of which they have all their part; `in_use` the digests
    that their routes may name: the given ones, and those before as long as not every node has said that it holds the newest.
    `named` is what the routes name in filters, and `former` what they named before: filters get both, so that no route names
    what its filter does not know.
    """

    service: str
    stand: Stand = ANYWHERE
    gateway: Gateway = Gateway((), ())
    snapshot: Snapshot | None = None
    settled: Gateway | None = None
    in_use: dict[str, tuple[str, ...]] = field(default_factory=dict)
    named: Named = Named()
    former: Named = Named()

    @property
    def key(self) -> str:
        """Its name among the groups."""
        return group_key(self.service, self.stand)

    def former_for(self, now: Named) -> Named:
        """What routes name until those with `now` are there. What does not change is left, since a filter's change of
        quotas begins its counts anew."""
        quotas = self.former.quotas if now.quotas == self.named.quotas else self.named.quotas
        tokens = self.former.tokens if now.tokens == self.named.tokens else self.named.tokens
        return Named(quotas, tokens)


@dataclass(slots=True)
class Publisher:
    """Decides what each group of nodes is given, and when. Owned by one event loop; opens no file and no socket itself.

    A service version goes to a group only once every living companion of the group reports holding its digest; until
    then the group keeps what it has. A gateway without services is never published over one with some. `own` is the
    service whose proxies the settings' listeners are for.
    """

    profile: Profile
    ads: AdsServer
    on_event: Callable[[Event], None]
    keep: Callable[[str, Snapshot], None] = lambda _service, _snapshot: None
    own: str = EVERYTHING
    wanted: Compilation = field(default_factory=Compilation)
    noticed: float = 0.0
    groups: dict[str, Group] = field(default_factory=dict)
    companions: dict[str, Companion] = field(default_factory=dict)
    _beside: dict[str, set[str]] = field(default_factory=dict)
    _looked: float = 0.0
    problems: tuple[str, ...] = ()
    _asked: set[tuple[str, Stand]] = field(default_factory=set)
    _prepared: dict[str, tuple[Gateway, Snapshot]] = field(default_factory=dict)
    _announcing: asyncio.Task[None] | None = None

    def want(self, compilation: Compilation, noticed: float) -> None:
        """Take over a compilation; publish what of it may go out."""
        before = self.wanted
        self.wanted, self.noticed = compilation, noticed
        for service, stand in tuple(self._asked):
            self.join(service, stand)
        if compilation.diagnostics != before.diagnostics:
            known = frozenset(before.diagnostics)
            news = tuple(d for d in compilation.diagnostics if d.is_error or d not in known)
            serving = frozenset(n for n in compilation.refused if compilation.service(n))
            if news or before.refused - compilation.refused:
                self.on_event(Diagnosed(news, compilation.refused, serving))
        self.advance()
        for group in self.groups.values():
            # The companions are still at it; what they will report is lowered by then.
            if (gateway := self._wanted_by(group)).services:
                with contextlib.suppress(Exception):  # told when it is to be published
                    self._lowered(group, gateway)

    def report(self, companion: Companion) -> dict[str, list[str]]:
        """Take over a companion's report; publish what was waiting for it. Returns the digests that routes may name."""
        name = f"{companion.service}/{companion.node}" if companion.service else companion.node
        before = self.companions.get(name)
        self._forget()
        self.companions[name] = companion
        self._beside.setdefault(companion.service, set()).add(name)
        if before and before.revisions != companion.revisions:
            for service, revision in companion.revisions.items():
                if before.revisions.get(service) != revision:
                    self.on_event(PolicyLive(companion.seconds, service, revision))
        # Each time: what is held up by a companion that went away goes out with the next report of another.
        self.advance(companion.service)
        needed: dict[str, dict[str, None]] = {}
        for group in (g for g in self.groups.values() if g.service == companion.service):
            for version, digests in group.in_use.items():
                needed.setdefault(version, {}).update(dict.fromkeys(digests))
        return {version: list(digests) for version, digests in needed.items()}

    def _forget(self) -> None:
        """Let go of companions that are long gone. A thousand of them report every other second, so not each time."""
        now = time.monotonic()
        if now - self._looked < ALIVE_S:
            return
        self._looked = now
        for name, companion in [(n, c) for n, c in self.companions.items() if now - c.seen > FORGET_S]:
            del self.companions[name]
            self._beside[companion.service].discard(name)

    def living(self, service: str) -> list[Companion]:
        """The companions of a group that reported lately."""
        now = time.monotonic()
        beside = (self.companions[name] for name in sorted(self._beside.get(service, ())))
        return [companion for companion in beside if now - companion.seen < ALIVE_S]

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
        if sum(g.service == service for g in self.groups.values()) >= STANDS:
            raise ValueError(f"the nodes of {service or EDGE} stand in more than {STANDS} places")
        self._asked.discard((service, stand))
        self.groups[key] = Group(service, stand)
        self.advance()
        return key

    def advance(self, service: str | None = None) -> None:
        """Give every group what it may have by now, or those of one service."""
        for group in [g for g in self.groups.values() if service in (None, g.service)]:
            if group.settled is self.wanted.gateway:
                continue
            gateway = self._next(group)
            if gateway == group.gateway or not gateway.services:
                self._settle(group)
                continue
            try:
                self._publish(group, gateway)
            except Exception as error:
                # Whatever a builder did not expect: what is in force stays, and readiness says so.
                self.problems = (f"{type(error).__name__}: {error}",)
                log.exception("not published; the last good snapshot stays in force")

    def _settle(self, group: Group) -> None:
        """Nothing that companions report changes what a group has once it has all that is wanted for it."""
        group.settled = self.wanted.gateway if group.gateway == self._wanted_by(group) else None

    def _wanted_by(self, group: Group) -> Gateway:
        return self._share(self.wanted.gateway, group)

    def _share(self, gateway: Gateway, group: Group) -> Gateway:
        if group.service == EVERYTHING:
            return gateway
        part = share(gateway, group.service)
        if group.service != self.own:
            return part
        material = {n for each in gateway.listeners if each.tls for n in _material(each.tls)}
        secrets = {s.name: s for s in (*part.secrets, *(s for s in gateway.secrets if s.name in material))}
        listening = tuple(secrets[name] for name in sorted(secrets))
        return replace(part, listeners=gateway.listeners, secrets=listening)

    def _next(self, group: Group) -> Gateway:
        """The wanted services that all living companions hold; of the others what the group has."""
        companions = self.living(group.service)
        have = {service.name: service for service in group.gateway.services}
        services = []
        for service in self._wanted_by(group).services:
            if companions and all(_holds(c, service) for c in companions) and not self._older(companions, service):
                services.append(service)
            elif service.name in have:
                services.append(have[service.name])
        # A service that stays behind keeps the schemes it was compiled with.
        schemes = {s.name: s for s in (*group.gateway.schemes, *self.wanted.gateway.schemes)}
        used = {*schemes_of(tuple(services))}
        wanted = {s.name for s in self.wanted.gateway.schemes}
        kept = tuple(schemes[n] for n in sorted(schemes) if n in used or n in wanted)
        # So does one whose upstream is reached with other key material than is wanted now.
        named = {*secrets_of(tuple(services))}
        secrets = {s.name: s for s in group.gateway.secrets if s.name in named}
        secrets |= {s.name: s for s in self.wanted.gateway.secrets}
        known = tuple(secrets[name] for name in sorted(secrets))
        return self._share(replace(self.wanted.gateway, services=tuple(services), schemes=kept, secrets=known), group)

    def _older(self, companions: list[Companion], service: Service) -> bool:
        """Whether companions hold something newer than these sources: another replica may have given it to the proxies
        already, and routes must not go back. Not for ever, since who is right cannot be told."""
        if service.name in self.wanted.refused or time.monotonic() - self.noticed > AHEAD_S:
            return False
        return any(c.digests[f"{v.service}/{v.name}"][0] != v.digest for c in companions for v in service.versions)

    def _publish(self, group: Group, gateway: Gateway) -> None:
        started = time.perf_counter()
        before, snapshot = group.gateway, self._lowered(group, gateway)
        self.problems = snapshot.consistent()
        if self.problems:
            log.error("not published: %s", "; ".join(self.problems))
            return
        group.gateway, group.snapshot = gateway, snapshot
        now = named(gateway)
        group.named, group.former = now, group.former_for(now)
        for version in (v for s in gateway.services for v in s.versions):
            name = f"{version.service}/{version.name}"
            group.in_use[name] = tuple(dict.fromkeys((version.digest, *group.in_use.get(name, ()))))
        self.ads.publish(group.key, snapshot)
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
        gateway, snapshot = group.gateway, group.snapshot
        missing = await self.ads.live(group.key, timeout=30.0)
        if not missing and group.snapshot is snapshot:
            group.in_use = {f"{v.service}/{v.name}": (v.digest,) for s in gateway.services for v in s.versions}
            seconds = time.monotonic() - self.noticed
            changed = await asyncio.to_thread(_changed, before, gateway)
            names = tuple(sorted({o.place.file.split("/")[1] for o in changed}))
            self.on_event(Live(seconds, len(changed), names, first=not before.services))


def group_key(service: str, stand: Stand) -> str:
    """The name of the group of a service's nodes that stand in one place."""
    return f"{service}{stand}"


def _material(tls: Tls) -> tuple[str, ...]:
    return tuple(filter(None, (*(each.secret for each in tls.certificates), tls.client_ca)))


def _holds(companion: Companion, service: Service) -> bool:
    return all(v.digest in companion.digests.get(f"{v.service}/{v.name}", ()) for v in service.versions)


def _changed(before: Gateway, after: Gateway) -> list[Operation]:
    """Operations of `after` that are new or different; of a version where only what they share changed, all."""
    old = {(v.service, v.name): v for s in before.services for v in s.versions}
    found: list[Operation] = []
    for version in (v for s in after.services for v in s.versions):
        was = old.get((version.service, version.name))
        if was is None or was.digest != version.digest:
            known = {o.id: _judged(was, o) for o in was.operations} if was else {}
            different = [o for o in version.operations if known.get(o.id) != _judged(version, o)]
            found.extend(different or version.operations)
    return found


def _judged(version: Version, operation: Operation) -> tuple[Operation, list[object]]:
    """An operation with the schemas that it names itself."""
    refs = [p.schema for p in operation.parameters]
    refs += [media.schema for media in operation.body.media] if operation.body else []
    return operation, [_resolved(version, ref.uri) for ref in refs if ref]


def _resolved(version: Version, uri: str) -> object:
    resource, _, fragment = uri.partition("#")
    value = version.schemas.resources.get(resource)
    for token in unquote(fragment).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
