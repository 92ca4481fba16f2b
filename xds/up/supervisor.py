"""Ground, addresses -> the running gateway: what is started in which order, watched, and stopped in the reverse."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from xds.address import Address
from xds.compile import Compilation
from xds.dev import DevProcess
from xds.failure import CannotRun
from xds.project.offline import read_offline
from xds.settings import parse_settings
from xds.settings.publishing import allowing
from xds.terminal import Palette
from xds.up import parts
from xds.up.banner import Front, banner, curl_lines, suggestions
from xds.up.child import Child, Command
from xds.up.console import Console, progress
from xds.up.keys import Keys, issued_by
from xds.up.parts import Wiring
from xds.up.ports import free_port, require_free
from xds.up.project import Ground, follow
from xds.up.spawn import Keeper
from xds.up.tail import tail

if TYPE_CHECKING:
    from xds.control.plane import ControlPlane
    from xds.control.running import Control

GIVE_UP_S = 60.0
"""How long the first start may take."""
SAY_MISSING_S = 5.0
"""How often, until then, it is said what is missing."""


@dataclass(slots=True)
class Supervisor:
    """One run of `sidegate up`, in the main thread's event loop: children die with the thread that started them.

    `children` are in the order of their start; they stop in the reverse, Envoy first.
    """

    ground: Ground
    wiring: Wiring
    console: Console
    keeper: Keeper
    running: Control | None = None
    children: list[Child] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        """Start everything, follow it until a signal comes, stop everything. Returns the exit code; raises CannotRun."""
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(name, self.stop.set)
        try:
            binary = parts.envoy_binary()
            tokens = self._sign()
            await self._start_companions()
            compilation = await self._start_control()
            if not compilation.gateway.services:
                again = f"correct that, then `sidegate up`; `sidegate check {self.ground.root}` says it again"
                self.console.say(f"nothing can be served. Next: {again}", "bold")
                return 1
            self._make_room(compilation)
            await self._start_envoy(binary)
            if await self._ready():
                self._welcome(tokens)
                await self.stop.wait()
                self.console.say("stopping", "dim")
            return 0
        finally:
            await self._end()

    def _sign(self) -> dict[str, str]:
        """Make the keys that `dev` asks for; the tokens by name."""
        dev = self.ground.dev
        if dev.keys is None:
            return {}
        keys = Keys()
        keys.write(self.ground.root / dev.keys)
        settings, _ = parse_settings(read_offline(self.ground.root, self.ground.env).files, self.ground.env)
        issuer = issued_by(settings.schemes.values())
        return {name: keys.token({**issuer, **claims}) for name, claims in dev.tokens.items()}

    async def _start_control(self) -> Compilation:
        """The control plane, in this process. Its libraries take a second to load: meanwhile the companion loads its own."""
        from xds.control.running import Control
        from xds.envoy.profile import Profile

        wiring, ground = self.wiring, self.ground
        profile = Profile(
            listen=(wiring.listen.host, wiring.listen.port),
            companion=(wiring.companion.host, wiring.companion.port),
            otlp=parts.otlp(os.environ),
            node=parts.NODE,
            access_log=str(access_log(ground.state)),
            cache=str((ground.state / "cache").resolve()),
        )
        control = Control(
            ground.root,
            profile,
            management=wiring.management,
            ads=str(wiring.ads),
            on_event=self.console.on_event,
            state=ground.state,
            env=ground.env,
            over=allowing() if ground.dev.breaking else None,
        )
        self.console.files = lambda: control.plane.project.tree.texts
        try:
            compilation = await control.start()
        except OSError as error:  # somebody took the address since it was looked at
            raise CannotRun(
                f"{wiring.management} (the management address): {(error.strerror or '').lower()}"
            ) from error
        self.running = control
        return compilation

    def _make_room(self, compilation: Compilation) -> None:
        """The folder for kept answers: Envoy makes none."""
        folder = Path(compilation.gateway.edge.cache.path or self.ground.state / "cache")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotRun(f"{folder} (the cache): {(error.strerror or '').lower()}") from error

    @property
    def _plane(self) -> ControlPlane:
        assert self.running is not None, "the control plane is started before anything asks it"
        return self.running.plane

    async def _start_companions(self) -> None:
        """The companion, and whatever the project wants to run beside the gateway."""
        parts.require_companion()
        root, state = self.ground.root, self.ground.state
        command = parts.companion_command(self.wiring, root, state, self.ground.env, self.ground.dev.breaking)
        await self._start("companion", command, state / "companion.log")
        for process in self.ground.dev.processes:
            _require_free_port(process)
            await self._start(process.name, process.command, None)

    async def _start_envoy(self, binary: Path) -> None:
        state = self.ground.state
        place = parts.envoy_admin(state)
        command = parts.envoy_command(self.wiring, state, binary, place)
        self._plane.proxy = place
        envoy = await self._start("Envoy", command, state / "envoy.log")
        log = tail(access_log(state), self._plane.access.feed, _reopening(envoy))
        self.tasks.append(asyncio.create_task(log))
        if self.ground.single:
            self.tasks.append(asyncio.create_task(follow(self.ground.single, self.ground.root)))

    async def _start(self, name: str, words: tuple[str, ...], log: Path | None) -> Child:
        take = self.console.output_of(name, log)
        child = Child(Command(name, words, self.ground.root, take, take), self.keeper, self._say_of_child)
        await child.start()
        self.children.append(child)
        return child

    def _say_of_child(self, text: str) -> None:
        self.console.say(text, "yellow")

    async def _ready(self) -> bool:
        """Wait until requests are judged by the files. False if a signal came first; CannotRun if it takes too long."""
        began = said = time.monotonic()
        while not self.stop.is_set():
            missing = await self._missing()
            if not missing:
                progress("")
                return True
            now = time.monotonic()
            progress(f"starting: {missing[0]}")
            if now - said > SAY_MISSING_S:
                said = now
                self.console.say(f"not ready after {now - began:.0f} s: {'; '.join(missing)}", "yellow")
            if now - began > GIVE_UP_S:
                logs = f"{self.ground.state}/companion.log and envoy.log"
                raise CannotRun(f"the gateway is not ready: {'; '.join(missing)}. Next: look at {logs}")
            await asyncio.sleep(0.05)
        return False

    async def _missing(self) -> list[str]:
        waiting = [p for p in self.ground.dev.processes if p.ready]
        answers = await asyncio.gather(*(asyncio.to_thread(_answers, p.ready or "") for p in waiting))
        silent = [f"{p.name} does not answer at {p.ready}" for p, ok in zip(waiting, answers, strict=True) if not ok]
        return [*(await self._plane.readiness()).missing, *silent]

    def _welcome(self, tokens: dict[str, str]) -> None:
        compilation: Compilation = self._plane.publisher.wanted
        palette, listen = self.console.palette, self.wiring.listen
        self.console.say(banner(compilation, listen, self.wiring.management, palette))
        tries = self.ground.dev.tries or suggestions(compilation.gateway, self.ground.dev)
        front = Front.of(compilation.gateway, listen)
        self.console.say("\n" + curl_lines(tries, tokens, front, palette) + "\n")
        if single := self.ground.single:
            contract = next(iter(single.shown.values()))
            self.console.say(
                f"policy: a stub that allows what {contract} allows. Next: sidegate init --service {single.service}"
            )
        self.console.say("changes to contracts and policies are live; Ctrl-C stops everything", "dim")
        self.console.quiet = False

    async def _end(self) -> None:
        self.console.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for child in reversed(self.children):
            await child.stop()
        if self.running is not None:
            await self.running.stop()


def access_log(state: Path) -> Path:
    """Where Envoy writes one line a request."""
    return state / "access.log"


async def supervise(ground: Ground, listen: Address, management: Address, palette: Palette) -> int:
    """Run the gateway on the ground until a signal. Returns the exit code; raises CannotRun."""
    if listen.port == management.port and listen.port:
        advice = f"{ground.command} --management 127.0.0.1:{free_port()}"
        raise CannotRun(f"the gateway and the management API cannot share port {listen.port}. Next: {advice}")
    for each in ground.listeners:
        require_free(Address(each.host, each.port), f"listener {each.name}", "change its `address` in sidegate.yaml")
    if not ground.listeners:
        require_free(listen, "the gateway's address", f"{ground.command} --listen 127.0.0.1:{free_port()}")
    require_free(management, "the management address", f"{ground.command} --management 127.0.0.1:{free_port()}")
    keeper = Keeper()
    try:
        return await Supervisor(ground, Wiring.around(listen, management), Console(palette, ground.name), keeper).run()
    finally:
        keeper.close()


def _require_free_port(process: DevProcess) -> None:
    """A port that somebody else holds would answer `ready` in the process's place."""
    url = urlsplit(process.ready or "")
    if url.hostname and url.port:
        change = f"end that process, or change dev.processes.{process.name} in sidegate.yaml"
        require_free(Address(url.hostname, url.port), f"process {process.name}", change)


def _answers(url: str) -> bool:
    """Whether a URL answers at all; an HTTP error is an answer."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=1):
            return True
    except HTTPError:
        return True
    except OSError:
        return False


def _reopening(envoy: Child) -> Callable[[], None]:
    def reopen() -> None:
        if envoy.process is not None and envoy.process.returncode is None:
            envoy.process.send_signal(signal.SIGUSR1)  # Envoy, "Access logging": reopens its files

    return reopen
