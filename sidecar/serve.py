"""Options -> the companion's parts, wired and running."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import Any

import uvicorn

from sidecar.admin import admin_app
from sidecar.check import Check
from sidecar.record import Records
from sidecar.reload import Current, Reloader
from sidecar.report import Reporter
from xds.address import listening
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
        options = self.options
        state = options.state or options.dir / ".sidegate"
        current = Current(self._engine(None))
        reporter = Reporter(options.report, options.node, options.admin.url, current, options.service)
        over = {**(override(options.service, options.upstream) or {}), **(allowing() if options.breaking else {})}
        reloader = Reloader(options.dir, state / "companion", current, reporter.report, self._engine, options.env, over)
        reporter.advise = reloader.advise
        check = Check(current, self.records, self.traces)
        apps = ((check, options.listen), (admin_app(current, self.records), options.admin))
        sockets = [listening(place, backlog=2048) for _, place in apps]
        servers = [_server(app) for app, _ in apps]
        serving = (server.serve([socket]) for server, socket in zip(servers, sockets, strict=True))
        parts = [asyncio.create_task(part) for part in (reloader.run(), *serving)]
        if options.report:
            parts.append(asyncio.create_task(reporter.run()))
        waiting = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([waiting, *parts], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for server in servers:
                server.should_exit = True
            self.records.close()  # a question that waits for news would hold up the end
            await asyncio.wait(parts[1:3], timeout=5)
            for part in (waiting, *parts):
                part.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*parts)
            if current.log is not None:
                await current.log.close()
            await current.engine.close()
            self.traces.close()

    def _engine(self, opa: str | None) -> Engine:
        return open_engine(opa, workers=self.options.workers, deadline=self.options.deadline)


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
