"""Options -> one pod's control plane in this process, and its companion as another."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xds.address import listening
from xds.compile import lay_out
from xds.failure import CannotRun
from xds.http.probes import Probes
from xds.http.scrape import scrape
from xds.http.serving import Serving
from xds.project.offline import read_offline
from xds.roles import told
from xds.roles.options import in_run
from xds.roles.running import left
from xds.settings.layers import override
from xds.terminal import Palette
from xds.up import parts
from xds.up.child import Child, Command
from xds.up.console import Console

if TYPE_CHECKING:
    from xds.control.running import Control

log = logging.getLogger("sidegate")


class Sidecar:
    """Everything beside one service but Envoy, which is a container of its own and asks over a socket."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.console = Console(Palette(False), str)
        self.console.quiet = False

    async def run(self, stop: asyncio.Event) -> int:
        """Serve until `stop`, and then until Envoy has gone. Returns the exit code; raises CannotRun or OSError."""
        options = self.options
        for folder in (options.run, options.state):
            folder.mkdir(parents=True, exist_ok=True)
        service = options.service or only_service(options.dir, options.env)
        flags = {"service": service, "env": options.env, "upstream": options.upstream}
        told.leave(options.run, "sidecar", sources=options.dir.absolute(), **flags)
        control, companion = self._control(service), Child(self._companion(service), None, log.warning)
        probes = Probes(lambda: _missing(control), lambda: scrape(_admin(options)), options.probe)
        on = listening(options.management)
        await companion.start()
        try:
            await control.start()
            serving = Serving(probes, on)
            await stop.wait()
            log.info("ending once no proxy is connected")
            await left(lambda: len(control.plane.server.clients()), options.grace)
            await serving.stop()
            await probes.close()
            await control.stop()
        finally:
            await companion.stop()
        return 0

    def _control(self, service: str) -> Control:
        from xds.control.running import Control
        from xds.envoy.profile import Profile

        options = self.options
        profile = Profile(
            listen=(options.listen.host, options.listen.port),
            companion=in_run(options, "companion.sock").path,
            otlp=parts.otlp(os.environ),
            node=options.node,
            cache=str(options.run.absolute() / "cache"),
        )
        control = Control(
            options.dir,
            profile,
            management=in_run(options, "management.sock"),
            ads=str(options.xds or in_run(options, "xds.sock")),
            on_event=self.console.on_event,
            state=options.state,
            env=options.env,
            service=service,
            over=override(service, options.upstream),
        )
        self.console.files = lambda: control.plane.project.tree.texts
        control.plane.proxy = _admin(options)
        return control

    def _companion(self, service: str) -> Command:
        options = self.options
        words = [
            *(sys.executable, "-P", "-m", "sidecar", "--dir", str(options.dir), "--state", str(options.state)),
            *(
                "--listen",
                str(in_run(options, "companion.sock")),
                "--admin",
                str(in_run(options, "companion-api.sock")),
            ),
            *("--report", in_run(options, "management.sock").url, "--node", options.node, "--service", service),
        ]
        for name, value in (("--env", options.env), ("--upstream", options.upstream)):
            words += [name, value] if value else []

        return Command("companion", tuple(words), Path.cwd(), _pass_on, _pass_on, grace=8.0)


def only_service(root: Path, env: str | None) -> str:
    """The one service of a folder. Raises CannotRun if there is none, or several."""
    names = sorted(lay_out(read_offline(root, env))[0])
    if len(names) != 1:
        found = f"has several: {', '.join(names)}" if names else "has no contract: contracts/<service>/<version>.yaml"
        raise CannotRun(f"{root} {found}. Next: --service NAME, the one in this pod")
    return names[0]


async def _missing(control: Control) -> list[str]:
    return control.plane.lacking()


def _admin(options: argparse.Namespace) -> str:
    return in_run(options, "admin.sock").path


def _pass_on(line: bytes) -> None:
    sys.stderr.buffer.write(line + b"\n")
    sys.stderr.buffer.flush()
