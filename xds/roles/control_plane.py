"""Options -> the control plane that many proxies share: each is given its own service's part, by its certificate."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from xds.address import Address, UnixSocket, listening
from xds.failure import Misused
from xds.http.probes import Probes
from xds.http.serving import Serving
from xds.roles import told
from xds.roles.options import in_run
from xds.terminal import Palette
from xds.up import parts
from xds.up.console import Console

if TYPE_CHECKING:
    from xds.ads.credentials import Files
    from xds.control.running import Control
    from xds.kubernetes import KubernetesSource

log = logging.getLogger("sidegate")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SharedControlPlane:
    """One replica. It knows no other: equal sources give equal versions, so that proxies may go from one to the next."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.console = Console(Palette(False), str)
        self.console.quiet = False
        self.source: KubernetesSource | None = None
        self.started = False

    async def run(self, stop: asyncio.Event) -> int:
        """Serve until `stop`. Returns the exit code; raises CannotRun, Misused or OSError."""
        options, tasks = self.options, []
        certificates, namespace = files_of(options), namespace_of(options)
        for folder in (options.run, options.state):
            folder.mkdir(parents=True, exist_ok=True)
        self._leave()
        on = listening(options.management)
        if options.kubernetes:
            self.source = self._kubernetes()
            tasks.append(asyncio.create_task(self.source.run()))
            await self.source.first()
        control = self._control()
        if self.source is not None:
            control.plane.sources = self.source.problems
        if certificates is not None:
            control.plane.admission.secured = certificates.credentials()
        control.plane.admission.namespace = namespace
        probes = Probes(lambda: self._missing(control), _none, degraded=lambda: control.plane.sources())
        serving = Serving(probes, on)
        try:
            await control.start()
            self.started = True
            await until_any(stop, tasks)
        finally:
            await serving.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await control.stop()
        return 0

    def _leave(self) -> None:
        """Out of Kubernetes only this process has all sources: nobody beside it can compile them."""
        options = self.options
        sources = None if options.kubernetes else options.dir.absolute()
        files = {"xds_ca": options.xds_client_ca, "xds_cert": options.xds_cert, "xds_key": options.xds_key}
        told.leave(options.run, "control-plane", sources=sources, env=options.env, **files)

    def _kubernetes(self) -> KubernetesSource:
        from xds.kubernetes import KubernetesSource

        spaces = (options_.strip() for options_ in (self.options.namespaces or "").split(","))
        return KubernetesSource(self.options.state / "kubernetes", [each for each in spaces if each])

    def _control(self) -> Control:
        from xds.control.running import Control
        from xds.envoy.profile import Profile

        options = self.options
        companion = options.companion
        profile = Profile(
            listen=(options.listen.host, options.listen.port),
            companion=companion.path if isinstance(companion, UnixSocket) else (companion.host, companion.port),
            otlp=parts.otlp(os.environ),
            cache=options.cache,
        )
        control = Control(
            options.dir,
            profile,
            management=in_run(options, "management.sock"),
            ads=str(options.xds),
            on_event=self.console.on_event,
            state=options.state,
            env=options.env,
            packs=(self.source.folder,) if self.source else (),
        )
        self.console.files = lambda: control.plane.project.tree.texts
        return control

    async def _missing(self, control: Control) -> list[str]:
        """What keeps this replica from answering proxies at all; what companions lack is not its fault."""
        if not self.started:
            return ["nobody is served yet"]
        missing = [] if control.plane.publisher.wanted.gateway.services else ["no contract compiles"]
        return missing if self.source is None else [*missing, *(self.source.problems() if missing else ())]


def files_of(options: argparse.Namespace) -> Files | None:
    """The certificate's files; None where nobody but this machine can come. Raises Misused for a port open to all."""
    from xds.ads.credentials import Files

    given: tuple[Path | None, ...] = (options.xds_cert, options.xds_key, options.xds_client_ca)
    certificate, key, ca = given
    if certificate and key and ca:
        return Files(certificate, key, ca)
    if any(given):
        raise Misused("--xds-cert, --xds-key and --xds-client-ca go together")
    if isinstance(options.xds, Address) and options.xds.host not in LOOPBACK:
        advice = "--xds-cert, --xds-key and --xds-client-ca, or an address of loopback"
        raise Misused(f"whoever reaches {options.xds} would be given every service's secrets. Next: {advice}")
    return None


def namespace_of(options: argparse.Namespace) -> str:
    """The namespace whose `edge` and `ratelimit` are believed. Raises Misused where there are many, and none was named."""
    if options.kubernetes and not options.own_namespace:
        who = "whoever is called `edge` in any namespace would be given every service's secrets"
        raise Misused(f"{who}. Next: --own-namespace, the namespace of the edge gateway")
    return options.own_namespace or ""


async def until_any(stop: asyncio.Event, tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait for `stop`. Raises what a task ended with before: without it the process would go on with what is old by then."""
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            for task in tasks:
                if task.done():
                    task.result()
    finally:
        waiting.cancel()


async def _none() -> None:
    return None
