"""changed files -> compile -> snapshot for each group of nodes, or the last good one and why."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from xds.access import AccessLog
from xds.ads.events import Event as StreamEvent
from xds.ads.events import Nacked
from xds.ads.messages import Node
from xds.ads.server import AdsServer
from xds.compile import Compilation
from xds.diagnostics import Diagnostic
from xds.envoy import Profile, lower
from xds.envoy.codec import encode
from xds.envoy.replies import code_of
from xds.events import Diagnosed, Event, Live, PolicyLive, Refused, Rejected
from xds.model import Gateway, Operation, Service, Version
from xds.project import Project
from xds.settings import key_files
from xds.snapshot import Snapshot, Store, StoreError, snapshot_of
from xds.source import span
from xds.telemetry import Traces
from xds.watch import changes

log = logging.getLogger("sidegate")

ALIVE_S = 6.0
"""A companion that has not reported for so long is gone: three reports are missing."""

EVERYTHING = ""
"""The group of nodes that name no service: an edge gateway in front of all of them."""


@dataclass(frozen=True, slots=True)
class Companion:
    """What a companion last reported: where its admin API is, the digests and policy revisions it holds, and how many
    seconds passed between noticing a change and holding it."""

    node: str
    service: str
    admin: str
    digests: Mapping[str, tuple[str, ...]]
    revisions: Mapping[str, str]
    seen: float
    seconds: float = 0.0


@dataclass(slots=True)
class Group:
    """Nodes that get one snapshot: `service` alone, or everything. `gateway` is what they serve now."""

    service: str
    gateway: Gateway = Gateway((), ())
    snapshot: Snapshot | None = None
    noticed: float | None = None


@dataclass(slots=True)
class Publisher:
    """Decides what each group of nodes is given, and when. Owned by one event loop; opens no file and no socket itself.

    A service version goes to a group only once every living companion of the group reports holding its digest; until
    then the group keeps what it has. A gateway without services is never published over one with some.
    """

    profile: Profile
    ads: AdsServer
    on_event: Callable[[Event], None]
    keep: Callable[[str, Snapshot], None] = lambda _service, _snapshot: None
    wanted: Compilation = field(default_factory=Compilation)
    noticed: float = 0.0
    groups: dict[str, Group] = field(default_factory=dict)
    companions: dict[str, Companion] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def want(self, compilation: Compilation, noticed: float) -> None:
        """Take over a compilation; publish what of it may go out."""
        before = self.wanted
        self.wanted, self.noticed = compilation, noticed
        if compilation.diagnostics and compilation.diagnostics != before.diagnostics:
            serving = frozenset(n for n in compilation.refused if compilation.service(n))
            self.on_event(Diagnosed(compilation.diagnostics, compilation.refused, serving))
        self.advance()

    def report(self, companion: Companion) -> None:
        """Take over a companion's report; publish what was waiting for it."""
        before = self.companions.get(companion.node)
        self.companions[companion.node] = companion
        if before and before.revisions != companion.revisions:
            for service, revision in companion.revisions.items():
                if before.revisions.get(service) != revision:
                    self.on_event(PolicyLive(companion.seconds, service, revision))
        if before is None or before.digests != companion.digests:
            self.advance()

    def living(self, service: str) -> list[Companion]:
        """The companions of a group that reported lately."""
        now = time.monotonic()
        return [c for c in self.companions.values() if c.service == service and now - c.seen < ALIVE_S]

    def join(self, service: str) -> Group:
        """The group of a node, made when its first node or companion comes."""
        if service not in self.groups:
            self.groups[service] = Group(service)
            self.advance()
        return self.groups[service]

    def advance(self) -> None:
        """Give every group what it may have by now."""
        for group in self.groups.values():
            gateway = self._next(group)
            if gateway == group.gateway or not gateway.services:
                continue
            self._publish(group, gateway)

    def _next(self, group: Group) -> Gateway:
        """The wanted services that all living companions hold; of the others what the group has."""
        companions = self.living(group.service)
        have = {service.name: service for service in group.gateway.services}
        services = []
        for service in self.wanted.gateway.services:
            if group.service not in (EVERYTHING, service.name):
                continue
            if companions and all(_holds(companion, service) for companion in companions):
                services.append(service)
            elif service.name in have:
                services.append(have[service.name])
        return Gateway(tuple(services), self.wanted.gateway.schemes)

    def _publish(self, group: Group, gateway: Gateway) -> None:
        started = time.perf_counter()
        snapshot = snapshot_of(lower(gateway, self.profile), encode, group.snapshot)
        self.problems = snapshot.consistent()
        if self.problems:
            log.error("not published: %s", "; ".join(self.problems))
            return
        changed = _changed(group.gateway, gateway)
        first = not group.gateway.services
        group.gateway, group.snapshot = gateway, snapshot
        self.ads.publish(group.service, snapshot)
        self.keep(group.service, snapshot)
        log.debug("lowered in %.0f ms", 1000 * (time.perf_counter() - started))
        names = tuple(sorted({o.place.file.split("/")[1] for o in changed}))
        asyncio.get_running_loop().create_task(self._announce(group, snapshot, len(changed), names, first))

    async def _announce(
        self, group: Group, snapshot: Snapshot, operations: int, services: tuple[str, ...], first: bool
    ) -> None:
        missing = await self.ads.live(group.service, timeout=30.0)
        if not missing and group.snapshot is snapshot:
            self.on_event(Live(time.monotonic() - self.noticed, operations, services, first))


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


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests are judged by what the files say, and if not, what is missing."""

    missing: tuple[str, ...]
    digests: Mapping[str, str]
    degraded: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.missing


class ControlPlane:
    """One project, watched, compiled and streamed to the proxies that connect."""

    def __init__(
        self, root: Path, profile: Profile, *, ads: str, on_event: Callable[[Event], None], state: Path | None = None
    ) -> None:
        self.root, self.profile, self.address = root, profile, ads
        self.project = Project(root, state)
        self.server = AdsServer(self._group_of, self._on_stream)
        self.publisher = Publisher(profile, self.server, on_event, self._keep)
        self._store = Store(state / "snapshot") if state else None
        self._keeping: asyncio.Task[None] | None = None
        self.on_event = on_event
        self.traces = Traces("sidegate-control-plane")
        self.access = AccessLog(code_of, lambda line: on_event(Refused(line)))
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> Compilation:
        """Listen for proxies, compile once, and begin to watch. Returns the first compilation.

        Until that compiles, proxies are given the snapshot that the last run published last, if it was for this profile.
        """
        self._resume()
        await self.server.start(self.address)
        self.publisher.join(EVERYTHING)
        compilation = await self.refresh()
        self._watch = asyncio.create_task(self._follow())
        return compilation

    async def stop(self) -> None:
        """Stop watching and close every stream."""
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._keeping:
            await asyncio.wait([self._keeping])
        await self.server.stop(0.5)
        self.traces.close()

    async def refresh(self) -> Compilation:
        """Compile what the files say now, and publish what may go out. Never raises for bad files."""
        noticed = time.monotonic()
        with self.traces.root("compile") as step:
            compilation = await asyncio.to_thread(self.project.compile)
            step.set("sidegate.diagnostics", len(compilation.diagnostics))
            step.set("sidegate.refused", sorted(compilation.refused))
        with self.traces.root("publish") as step:
            self.publisher.want(compilation, noticed)
            step.set("sidegate.digests", [f"{name} {digest}" for name, digest in compilation.digests.items()])
        return compilation

    def report(self, node: str, document: Mapping[str, Any]) -> None:
        """Take a companion's report (management API, `PUT /companions/{node}`)."""
        digests = {name: tuple(held) for name, held in document["digests"].items()}
        service = document.get("service") or EVERYTHING
        self.publisher.join(service)
        seconds = float(document.get("seconds", 0))
        now = time.monotonic()
        self.publisher.report(Companion(node, service, document["admin"], digests, document["revisions"], now, seconds))

    async def readiness(self) -> Readiness:
        """What `GET /ready` says: every part, asked now."""
        publisher, missing = self.publisher, []
        group = publisher.groups.get(EVERYTHING)
        digests = publisher.wanted.digests
        if not digests:
            missing.append("no contract compiles")
        companions = publisher.living(EVERYTHING)
        if not companions:
            missing.append("no companion reports")
        for companion in companions:
            lacking = sorted(n for n, digest in digests.items() if digest not in companion.digests.get(n, ()))
            missing.extend(f"companion {companion.node} does not hold {name} {digests[name]}" for name in lacking)
        served = (
            {f"{v.service}/{v.name}": v.digest for s in group.gateway.services for v in s.versions} if group else {}
        )
        if served != digests:
            missing.append("the newest digests are not published yet")
        behind = await self.server.live(EVERYTHING, timeout=0)
        if behind:
            missing.extend(behind)
        elif not await _listens(*self.profile.listen):
            missing.append(f"nothing listens on {self.profile.listen[0]}:{self.profile.listen[1]}")
        refused = sorted(publisher.wanted.refused)
        return Readiness(tuple(missing), served, tuple(f"{n} has errors; its last good form serves" for n in refused))

    def _resume(self) -> None:
        try:
            stored = self._store.load() if self._store else None
        except StoreError as error:
            log.warning("%s", error)
            return
        if stored and stored.tag == repr(self.profile) and not stored.snapshot.consistent():
            self.server.publish(EVERYTHING, stored.snapshot)

    def _keep(self, service: str, snapshot: Snapshot) -> None:
        """Keep the snapshot of the whole gateway on disk. Those of single services are made from the same sources again."""
        if self._store is not None and service == EVERYTHING:
            before = self._keeping
            self._keeping = asyncio.get_running_loop().create_task(self._save(self._store, snapshot, before))

    async def _save(self, store: Store, snapshot: Snapshot, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await asyncio.to_thread(store.save, snapshot, repr(self.profile))
        except StoreError as error:
            log.warning("%s", error)

    async def _follow(self) -> None:
        while True:
            try:
                async for _ in changes(self.root, key_files(self.project.tree.files.get("sidegate.yaml"))):
                    await self.refresh()
            except Exception:
                log.exception("watching failed; the last good snapshot stays in force")
                await asyncio.sleep(1)

    def _group_of(self, node: Node) -> str:
        service = str(node.metadata.get("service") or EVERYTHING)
        self.publisher.join(service)
        return service

    def _on_stream(self, event: StreamEvent) -> None:
        if isinstance(event, Nacked):
            self.on_event(rejection(event, self.publisher.wanted, self.project.tree.files))


def rejection(event: Nacked, compilation: Compilation, files: Mapping[str, bytes]) -> Rejected:
    """A NACK as an event, with the contract line of the operation that its message names."""
    named = (
        operation.place
        for service in compilation.gateway.services
        for version in service.versions
        for operation in version.operations
        if f"{version.service}/{version.name}/{operation.id}" in event.message
    )
    place = next(named, None)
    help_ = (
        "the last good resources stay in force; this should have been refused when it was compiled: please report it"
    )
    diagnostic = Diagnostic("envoy-rejected", event.message, span(files, place) if place else None, help_)
    return Rejected(event.node.id, event.type_url, event.version, diagnostic)


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 0.5)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
