"""a command -> a process that does not outlive the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_KEEPER = Path(__file__).with_name("keeper.py")
_LAUNCH = Path(__file__).with_name("launch.py")
_ALONE = (sys.executable, "-I", "-S")


class Keeper:
    """A small process that ends the others when the supervisor's end of a pipe closes (see `xds.up.keeper`)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([*_ALONE, str(_KEEPER)], stdin=subprocess.PIPE, start_new_session=True)

    def watch(self, group: int) -> None:
        """Add a process group."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Remove a process group, whose number the system may now give to others."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the keeper, and with it whatever it still watches."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(5)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # somebody killed the keeper; on Linux the kernel still ends the children
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


async def spawn(
    command: Sequence[str], *, cwd: Path, keeper: Keeper | None, env: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start a command in a session of its own, with its output on pipes.

    On Linux the kernel kills the process when the calling thread ends, so that must be the main one. A session of its own
    keeps a terminal's Ctrl-C from it: the supervisor stops its children in order. Raises FileNotFoundError if there is no
    such program.
    """
    program = shutil.which(command[0], path=(env or os.environ).get("PATH"))
    if program is None:
        raise FileNotFoundError(2, "no such program", command[0])
    words = [program, *command[1:]]
    if sys.platform == "linux":
        words = [*_ALONE, str(_LAUNCH), str(os.getpid()), *words]
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=cwd,
        env=dict(env) if env is not None else None,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
        start_new_session=True,
    )
    if keeper is not None:
        keeper.watch(process.pid)
    return process


def signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to a process and everything it started; nothing happens if all are gone."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, number)
