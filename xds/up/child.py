"""Child: a process that is started, watched, restarted with back-off and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xds.failure import CannotRun
from xds.terminal import clean
from xds.up.spawn import Keeper, signal_group, spawn

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
"""The first pause before a restart, doubled each time up to the second."""
SETTLED_S = 10.0
"""A process that lived so long has started well: its next pause is the first again."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a child is started. `grace` is how many seconds it has to stop after SIGTERM.

    `on_out` and `on_err` are given each line of output, without its end.
    """

    name: str
    words: tuple[str, ...]
    cwd: Path
    on_out: Callable[[bytes], None]
    on_err: Callable[[bytes], None]
    env: Mapping[str, str] | None = None
    grace: float = 3.0


@dataclass(slots=True)
class Child:
    """One command, running until `stop`. `say` is given one line for everything that a person must know.

    Without a keeper, only the kernel ends the process when this one is gone (Linux).
    """

    command: Command
    keeper: Keeper | None
    say: Callable[[str], None]
    starts: int = 0
    process: asyncio.subprocess.Process | None = None
    _stopping: bool = False
    _task: asyncio.Task[None] | None = None
    _last: deque[bytes] = field(default_factory=lambda: deque(maxlen=5))

    async def start(self) -> None:
        """Start the process and watch it. Raises CannotRun if it cannot be started at all."""
        await self._spawn()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop the process: SIGTERM to its group, SIGKILL to what is left after the grace. Returns when it has ended."""
        self._stopping = True
        process = self.process
        if process is not None and process.returncode is None:
            signal_group(process, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self.command.grace)
        if process is not None:
            signal_group(process, signal.SIGKILL)
            await process.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _spawn(self) -> None:
        words = self.command.words
        try:
            self.process = await spawn(words, cwd=self.command.cwd, env=self.command.env, keeper=self.keeper)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CannotRun(f"{self.command.name}: `{words[0]}` cannot be started: {reason}") from error
        self.starts += 1

    async def _watch(self) -> None:
        wait = FIRST_WAIT_S
        while True:
            began = time.monotonic()
            await self._until_end()
            if self._stopping:
                return
            lived = time.monotonic() - began
            wait = FIRST_WAIT_S if lived > SETTLED_S else min(wait * 2, LONGEST_WAIT_S)
            self._report(lived, wait)
            await asyncio.sleep(wait)
            with contextlib.suppress(CannotRun):  # said already; the next round tries again
                await self._spawn()

    async def _until_end(self) -> None:
        """Pass on the process's output until it ends."""
        process = self.process
        assert process is not None
        assert process.stdout is not None
        assert process.stderr is not None
        pumps = [
            asyncio.create_task(_pump(process.stdout, self.command.on_out)),
            asyncio.create_task(_pump(process.stderr, self._err)),
        ]
        try:
            await process.wait()
            # Whatever it started may hold the pipes open for ever: what was written by now is enough.
            await asyncio.wait(pumps, timeout=0.5)
        finally:
            for pump in pumps:
                pump.cancel()
            if process.returncode is not None:
                signal_group(process, signal.SIGKILL)
                if self.keeper is not None:
                    self.keeper.forget(process.pid)

    def _err(self, line: bytes) -> None:
        self._last.append(line)
        self.command.on_err(line)

    def _report(self, lived: float, wait: float) -> None:
        assert self.process is not None
        code = self.process.returncode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        words = f", its last words: {clean(self._last[-1].decode(errors='replace'))}" if self._last else ""
        self.say(f"{self.command.name} {how} after {lived:.1f} s{words}; starting it again in {wait:.1f} s")
        self._last.clear()


async def _pump(stream: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # a line longer than the limit: what was read of it is dropped
            continue
        if not line:
            return
        take(line.rstrip(b"\r\n"))
