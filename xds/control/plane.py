"""a project's folder -> compiled at every change and published to the proxies that connect; whether all is ready."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xds.ads.events import Denied, Nacked
from xds.ads.events import Event as StreamEvent
from xds.ads.identity import EDGE, RATE_LIMIT, Identity, asked_for, refusal
from xds.ads.machine import ProtocolError
from xds.ads.messages import Node
from xds.ads.reports import companion_handler
from xds.ads.server import AdsServer
from xds.compile import Compilation
from xds.control.access import AccessLog
from xds.control.events import Event, Refused, Rejected
from xds.control.publish import EVERYTHING, Companion, Publisher
from xds.control.share import Stand
from xds.diagnostics import Diagnostic
from xds.envoy import Profile
from xds.envoy.replies import code_of
from xds.handout import handout
from xds.project.building import keep
from xds.project.project import Project
from xds.project.watch import changes
from xds.snapshot import Snapshot, Store, StoreError
from xds.snapshot.types import LIMITS
from xds.source import Tree, span
from xds.telemetry import Traces

log = logging.getLogger("sidegate")


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
        self,
        root: Path,
        profile: Profile,
        *,
        ads: str,
        on_event: Callable[[Event], None],
        state: Path | None = None,
        env: str | None = None,
        service: str = EVERYTHING,
        over: Mapping[str, Any] | None = None,
        packs: Iterable[Path] = (),
    ) -> None:
        """`service` is whose nodes this is for first of all: readiness is theirs. `over` are settings above the files'."""
        self.root, self.profile, self.address, self.service = root, profile, ads, service
        self.project = Project(root, state, env, over=over, packs=packs)
        self.server = AdsServer(self._group_of, self._on_stream, refusal=self._refusal, types_of=_types_of)
        self.publisher = Publisher(profile, self.server, on_event, self._keep, own=service)
        self.secured: Any = None
        """The gRPC credentials of a port that demands certificates; without them everybody who gets there is believed."""
        self._changed = asyncio.Event()
        self._handing = asyncio.Lock()
        self._handouts: tuple[Compilation, dict[str, dict[str, Any]]] = (Compilation(), {})
        self.namespace = ""
        """The namespace that this control plane runs in, where there are any."""
        self._store = Store(state / "snapshot") if state else None
        self._keeping: asyncio.Task[None] | None = None
        self.on_event = on_event
        self.sources: Callable[[], Sequence[str]] = tuple
        """Why the sources may not be what they should be by now, where something else keeps them current."""
        self.proxy: str | tuple[str, int] | None = None
        """The admin interface of the proxy beside this control plane, where there is one: socket, or host and port."""
        self.traces = Traces("sidegate-control-plane")
        self.access = AccessLog(code_of, lambda line: on_event(Refused(line)))
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> Compilation:
        """Listen for proxies, compile once, and begin to watch. Returns the first compilation.

        Until that compiles, proxies are given the snapshot that the last run published last, if it was for this profile.
        """
        self._resume()
        self.address = await self.server.start(
            self.address, self.secured, [companion_handler(self._reported, self._handed)]
        )
        self.publisher.join(self.service)
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
            self.server.recheck()
            step.set("sidegate.digests", [f"{name} {digest}" for name, digest in compilation.digests.items()])
        self._changed.set()
        self._changed = asyncio.Event()
        keep()
        return compilation

    def report(self, node: str, document: Mapping[str, Any]) -> dict[str, list[str]]:
        """Take a companion's report (management API, `PUT /companions/{node}`); the digests that routes may name."""
        digests = {name: tuple(held) for name, held in document["digests"].items()}
        service = _service(str(document.get("service") or EVERYTHING))
        self.publisher.join(service)
        return self.publisher.report(
            Companion(
                node,
                service,
                str(document.get("admin") or ""),
                digests,
                document["revisions"],
                time.monotonic(),
                float(document.get("seconds", 0)),
                tuple(document.get("problems", ())),
            )
        )

    async def readiness(self) -> Readiness:
        """What `GET /ready` says: every part, asked now."""
        missing, served = self.lacking()
        behind = await self._behind()
        if behind:
            missing.extend(behind)
        else:
            silent = [f"{host}:{port}" for host, port in self._addresses() if not await _listens(host, port)]
            missing.extend(f"nothing listens on {address}" for address in silent)
        refused, serving = sorted(self.publisher.wanted.refused), {name.partition("/")[0] for name in served}
        degraded = (*self.sources(), *(_degraded(n, n in serving) for n in refused))
        return Readiness(tuple(missing), served, degraded)

    async def _behind(self) -> tuple[str, ...]:
        """What keeps the proxies of the service, wherever they stand, from holding what they shall."""
        keys = {group.key for group in self.publisher.groups.values() if group.service == self.service}
        there = {client.group for client in self.server.clients()} & keys or {self.service}
        return tuple([text for key in sorted(there) for text in await self.server.live(key, timeout=0)])

    def lacking(self) -> tuple[list[str], dict[str, str]]:
        """What keeps a proxy from being given the newest contracts, and the digests that it is given."""
        publisher, missing = self.publisher, []
        group = publisher.groups.get(self.service)
        wanted = publisher.wanted.digests
        digests = {n: d for n, d in wanted.items() if self.service in (EVERYTHING, n.partition("/")[0])}
        if not digests:
            missing.append("no contract compiles")
        companions = publisher.living(self.service)
        if not companions:
            missing.append("no companion reports")
        for companion in companions:
            missing.extend(f"companion {companion.node}: {problem}" for problem in companion.problems)
            lacking = sorted(n for n, digest in digests.items() if digest not in companion.digests.get(n, ()))
            missing.extend(f"companion {companion.node} does not hold {name} {digests[name]}" for name in lacking)
        served = (
            {f"{v.service}/{v.name}": v.digest for s in group.gateway.services for v in s.versions} if group else {}
        )
        if served != digests:
            missing.append("the newest digests are not published yet")
        missing.extend(f"not published: {problem}" for problem in publisher.problems)
        return missing, served

    def _addresses(self) -> list[tuple[str, int]]:
        """Where the proxies listen by what is published."""
        group = self.publisher.groups.get(self.service)
        listeners = group.gateway.listeners if group else ()
        return [(each.host, each.port) for each in listeners] or [self.profile.listen]

    def _resume(self) -> None:
        try:
            stored = self._store.load() if self._store else None
        except StoreError as error:
            log.warning("%s", error)
            return
        if stored and stored.tag == repr(self.profile) and not stored.snapshot.consistent():
            self.server.publish(self.service, stored.snapshot)

    def _keep(self, service: str, snapshot: Snapshot) -> None:
        """Keep one snapshot on disk. Those of other services are made from the same sources again."""
        if self._store is not None and service == self.service:
            before = self._keeping
            self._keeping = asyncio.get_running_loop().create_task(self._save(self._store, snapshot, before))

    async def _save(self, store: Store, snapshot: Snapshot, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await self.server.live(self.service, timeout=1.0)  # writing it must not slow down those who wait for it
        try:
            await asyncio.to_thread(store.save, snapshot, repr(self.profile))
        except StoreError as error:
            log.warning("%s", error)

    async def _follow(self) -> None:
        while True:
            try:
                async for _ in changes(self.root, self.project.key_files, self.project.packs):
                    await self.refresh()
            except Exception:
                log.exception("watching failed; the last good snapshot stays in force")
                await asyncio.sleep(1)

    def _group_of(self, node: Node) -> str:
        name = asked_for(node)
        try:
            stand = Stand.of(node.metadata)
            return self.publisher.join(EVERYTHING if name == RATE_LIMIT else _service(name), stand)
        except ValueError as error:
            raise ProtocolError(f"node {node.id}: {error}") from error

    def _refusal(self, node: Node, identity: Identity | None) -> str:
        """Why a client is not given what it asks for; empty if it is."""
        if self.secured is None:
            return ""
        nodes = self.publisher.wanted.settings.nodes
        return refusal(asked_for(node), identity, nodes, self.namespaces())

    def namespaces(self) -> Mapping[str, str]:
        """The namespaces that services' sources came from, and that of this control plane for what stands beside it."""
        own = dict.fromkeys((EDGE, RATE_LIMIT), self.namespace) if self.namespace else {}
        return {**self.project.namespaces(), **own}

    def _reported(self, node: str, document: Mapping[str, Any], identity: Identity | None) -> Mapping[str, Any]:
        """A report that came over the proxies' port. Nobody asks a companion elsewhere, whatever address it says it has."""
        service = str(document.get("service") or EDGE)
        if reason := self._refusal(Node(node, metadata={"service": service}), identity):
            raise PermissionError(reason)
        return self.answer(node, {**document, "admin": ""})

    async def _handed(self, service: str, have: str, wait: float, identity: Identity | None) -> Mapping[str, Any]:
        """A service's sources for its companion, once they are others than it has."""
        if reason := self._refusal(Node("", metadata={"service": service or EDGE}), identity):
            raise PermissionError(reason)
        end = time.monotonic() + wait
        while True:
            changed, name = self._changed, _service(service or EDGE)
            if self.publisher.wanted.gateway.services:
                document = await self._handout(name)
                if document["revision"] != have and (name == EVERYTHING or self.publisher.wanted.service(name)):
                    return document
            if (left := end - time.monotonic()) <= 0:
                return {}
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)

    async def _handout(self, service: str) -> dict[str, Any]:
        """Made once a compilation, however many companions of a service wait for it."""
        async with self._handing:
            of, documents = self._handouts
            if of is not self.publisher.wanted:
                of, documents = self._handouts = self.publisher.wanted, {}
            if service not in documents:
                documents[service] = await asyncio.to_thread(handout, self.project, service)
            return documents[service]

    def answer(self, node: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """What a companion's report is answered with (management.yaml): of its own service, all of them at the edge."""
        needed, wanted = self.report(node, document), self.publisher.wanted
        service = _service(str(document.get("service") or EVERYTHING))
        return {
            "needed": needed,
            "wanted": wanted.digests_of(None if service == EVERYTHING else service),
            "withheld": {n: d for n, d in wanted.withheld.items() if service in (EVERYTHING, n.partition("/")[0])},
        }

    def _on_stream(self, event: StreamEvent) -> None:
        if isinstance(event, Denied):
            log.warning("node %s at %s is refused: %s", event.node.id, event.peer, event.reason)
        if isinstance(event, Nacked):
            self.on_event(rejection(event, self.publisher.wanted, self.project.tree))


def _service(name: str) -> str:
    return EVERYTHING if name == EDGE else name


def _types_of(node: Node) -> frozenset[str] | None:
    return frozenset({LIMITS}) if asked_for(node) == RATE_LIMIT else None


def _degraded(service: str, serves: bool) -> str:
    return f"{service} has errors; " + ("its last good form serves" if serves else "nothing of it is served")


def rejection(event: Nacked, compilation: Compilation, tree: Tree) -> Rejected:
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
    diagnostic = Diagnostic("envoy-rejected", event.message, span(tree.files, place) if place else None, help_)
    return Rejected(event.node.id, event.type_url, event.version, tree.named(diagnostic))


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 0.5)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
