"""Options -> the companion's parts, wired and running."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import uvicorn

from sidecar.admin import admin_app
from sidecar.central import Central, Tls
from sidecar.check import Check
from sidecar.received import Received
from sidecar.record import Records
from sidecar.reload import Current, Reloader
from sidecar.report import Beside, Line, Reporter
from xds.address import Where, listening
from xds.http.probes import Probes
from xds.http.scrape import scrape
from xds.policy.engine import Engine
from xds.policy.open import open_engine
from xds.settings.layers import override
from xds.settings.publishing import allowing
from xds.telemetry import Counts, Traces


class Companion:
    """Two servers (what Envoy asks, and the admin API), one reloader, one reporter, one engine."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.records = Records(counts=Counts("sidegate-companion", "sidegate.requests"))
        self.traces = Traces("sidegate-companion")

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`. Parts that end by themselves end the companion, so that whoever started it knows."""
        current = Current(self._engine(None))
        reloader, reporter = self._following(current)
        probes = self._probes(current, reporter)
        apps: list[tuple[Any, Where]] = [(Check(current, self.records, self.traces), self.options.listen)]
        apps.append((admin_app(current, self.records), self.options.admin))
        if self.options.management:
            apps.append((probes, self.options.management))
        sockets = [listening(place, backlog=2048) for _, place in apps]
        servers = [_server(app) for app, _ in apps]
        serving = [server.serve([socket]) for server, socket in zip(servers, sockets, strict=True)]
        following = [reloader.run(), *([reporter.run()] if reporter.line is not None else [])]
        parts = [asyncio.create_task(part) for part in (*serving, *following)]
        waiting = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([waiting, *parts], return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await self._left(servers[0])
        finally:
            for server in servers:
                server.should_exit = True
            self.records.close()  # a question that waits for news would hold up the end
            await asyncio.wait(parts[: len(servers)], timeout=5)
            failed = await _ended((waiting, *parts))
            await probes.close()
            await self._close(current)
            if failed is not None:
                raise failed

    def _following(self, current: Current) -> tuple[Reloader, Reporter]:
        """What keeps `current` at what the sources say, and what tells the control plane so, each told of the other."""
        options = self.options
        line = _line(options)
        reporter = Reporter(line, options.admin.url, current, options.service)
        state = options.state / "companion"
        place = None if options.xds else override(options.service, options.upstream)
        reloader = Reloader(
            options.dir,
            state,
            current,
            reporter.report,
            self._engine,
            options.env,
            {**(place or {}), **(allowing() if options.breaking else {})},
            received=Received(line, state) if options.dir is None and isinstance(line, Central) else None,
        )
        reporter.advise = reloader.advise
        return reloader, reporter

    async def _close(self, current: Current) -> None:
        """Let go of what was in force at the end."""
        if current.log is not None:
            await current.log.close()
        await current.engine.close()
        self.traces.close()

    async def _left(self, server: uvicorn.Server) -> None:
        """Go on while Envoy is connected: it ends its requests first, and they are judged here."""
        end = asyncio.get_running_loop().time() + self.options.grace
        while server.server_state.connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)

    def _probes(self, current: Current, reporter: Reporter) -> Probes:
        async def missing() -> list[str]:
            if not current.plan.held:
                return ["no contract is held"]
            return [*reporter.missing(), *await current.engine.problems()]

        async def metrics() -> str | None:
            return await scrape(self.options.proxy) if self.options.proxy else None

        return Probes(missing, metrics, self.options.probe)

    def _engine(self, opa: str | None) -> Engine:
        return open_engine(opa, workers=self.options.workers, deadline=self.options.deadline)


async def _ended(parts: Sequence[asyncio.Task[Any]]) -> Exception | None:
    """Cancel tasks and wait until each has said its farewell; what the first that failed had raised."""
    for part in parts:
        part.cancel()
    results = await asyncio.gather(*parts, return_exceptions=True)
    return next((each for each in results if isinstance(each, Exception)), None)


def _line(options: argparse.Namespace) -> Line | None:
    """To the shared control plane, or the one beside, or to nobody."""
    if options.xds:
        files = (options.xds_ca, options.xds_cert, options.xds_key)
        tls = Tls(*files, options.xds_name) if all(files) else None
        return Central.at(options.xds, tls, options.node, options.service)
    return Beside(options.report, options.node) if options.report else None


def _server(app: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=3600,  # Envoy closes idle connections first, so that no request meets a closing one
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    # The companion stops both servers itself, in order.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    return server
