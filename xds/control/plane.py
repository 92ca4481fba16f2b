"""a project's folder -> compiled at every change and published to the proxies and companions that connect."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xds.ads.events import Denied, Nacked
from xds.ads.events import Event as StreamEvent
from xds.ads.identity import Identity
from xds.ads.messages import Node
from xds.ads.reports import companion_handler
from xds.ads.server import AdsServer
from xds.compile import Compilation
from xds.control.access import AccessLog
from xds.control.admission import Admission, types_of
from xds.control.companions import Companions
from xds.control.events import Event, Refused
from xds.control.groups import EVERYTHING
from xds.control.handouts import Handouts
from xds.control.publish import Publisher
from xds.control.readiness import Readiness, lacking, readiness
from xds.control.rejection import rejection
from xds.envoy import Profile
from xds.envoy.replies import code_of
from xds.handshake import EVERY_S
from xds.project.building import keep
from xds.project.project import Project
from xds.project.watch import changes
from xds.snapshot import Snapshot, Store, StoreError
from xds.telemetry import Traces

log = logging.getLogger("sidegate")
AGAIN_S = 60.0
"""How long a proxy that is refused for the same reason is not told of again."""
_DENIED = 4096


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
        self.server = AdsServer(self._group_of, self._on_stream, refusal=self._refusal, types_of=types_of)
        self.publisher = Publisher(profile, self.server, on_event, self._keep, own=service)
        self.admission = Admission(self.project, self.publisher)
        self._handouts = Handouts(self.project, self.publisher)
        self.companions = Companions(self.publisher, self.admission, self._handouts)
        self.publisher.on_use = self.companions.tell
        self._store = Store(state / "snapshot") if state else None
        self._keeping: asyncio.Task[None] | None = None
        self.on_event = on_event
        self.sources: Callable[[], Sequence[str]] = tuple
        """Why the sources may not be what they should be by now, where something else keeps them current."""
        self.proxy: str | tuple[str, int] | None = None
        """The admin interface of the proxy beside this control plane, where there is one: socket, or host and port."""
        self.traces = Traces("sidegate-control-plane")
        self._denied: dict[tuple[str, str], float] = {}
        self.access = AccessLog(code_of, lambda line: on_event(Refused(line)))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Compilation:
        """Listen for proxies, compile once, and begin to watch. Returns the first compilation.

        Until that compiles, proxies are given the snapshot that the last run published last, if it was for this profile.
        """
        self._resume()
        handlers = [companion_handler(self.companions.open, self.companions.hand)]
        self.address = await self.server.start(self.address, self.admission.secured, handlers)
        self.publisher.join(self.service)
        compilation = await self.refresh()
        self._tasks = [asyncio.create_task(each) for each in (self._follow(), self._sweep())]
        return compilation

    async def stop(self) -> None:
        """Stop watching and close every stream."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._keeping:
            await asyncio.wait([self._keeping])
        await self.server.stop(0.5)
        self.traces.close()

    async def refresh(self) -> Compilation:
        """Compile what the files say now, and publish what may go out. Never raises for bad files."""
        noticed = time.monotonic()
        with self.traces.root("compile") as step:
            async with self._handouts.compiling:
                compilation = await asyncio.to_thread(self.project.compile)
            step.set("sidegate.diagnostics", len(compilation.diagnostics))
            step.set("sidegate.refused", sorted(compilation.refused))
        with self.traces.root("publish") as step:
            self.publisher.want(compilation, noticed)
            step.set("sidegate.digests", [f"{name} {digest}" for name, digest in compilation.digests.items()])
        await self.companions.compiled()
        self.publisher.prepare()
        keep()
        return compilation

    async def readiness(self) -> Readiness:
        """What `GET /ready` says: every part, asked now."""
        return await readiness(self.publisher, self.server, self.service, self.sources())

    def lacking(self) -> list[str]:
        """What keeps a proxy from being given the newest contracts."""
        return lacking(self.publisher, self.service)[0]

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

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                self.companions.sweep()
            except Exception:
                log.exception("looking after companions failed; what is published stays in force")

    def _group_of(self, node: Node) -> str:
        return self.admission.group_of(node)

    def _refusal(self, node: Node, identity: Identity | None) -> str:
        return self.admission.refusal(node, identity)

    def _on_stream(self, event: StreamEvent) -> None:
        if isinstance(event, Denied):
            self._say_denied(event)
        if isinstance(event, Nacked):
            named = replace(event, names=event.names or self._withheld(event))
            self.on_event(rejection(named, self.publisher.wanted, self.project.tree))

    def _say_denied(self, event: Denied) -> None:
        """Proxies that are refused ask again every second or so: once a minute is told of each."""
        mark, now = (event.node.id, event.reason), time.monotonic()
        if now - self._denied.get(mark, -math.inf) < AGAIN_S:
            return
        if len(self._denied) >= _DENIED:
            self._denied.clear()
        self._denied[mark] = now
        log.warning("node %s at %s is refused: %s", event.node.id, event.peer, event.reason)

    def _withheld(self, event: Nacked) -> tuple[str, ...]:
        """What a node is not sent any more, where its message says nothing of what it refused."""
        asked = (client for client in self.server.clients() if client.node.id == event.node.id)
        return next((c.types[event.type_url].withheld for c in asked if event.type_url in c.types), ())
