"""Law: no child outlives its supervisor, however that ends; one that dies is started again and never silently."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import soon, until
from xds.failure import CannotRun
from xds.up.child import Child, Command
from xds.up.spawn import Keeper

SLEEP = (sys.executable, "-I", "-S", "-c", "import time; print('up', flush=True); time.sleep(60)")
STUBBORN = (
    *(sys.executable, "-I", "-S", "-c"),
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
)
FAMILY = (
    *(sys.executable, "-I", "-S", "-c"),
    "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(p.pid, flush=True); time.sleep(60)",
)

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from xds.up.child import Child, Command
from xds.up.spawn import Keeper

async def main():
    keeper, told = Keeper(), lambda line: print(child.process.pid, line.decode(), flush=True)
    child = Child(Command("one", tuple(sys.argv[1:]), Path(), told, told), keeper, print)
    await child.start()
    await asyncio.sleep(60)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize(
    "command", [SLEEP, STUBBORN, FAMILY], ids=["plain", "ignores SIGTERM", "with a child of its own"]
)
def test_sigkill_of_the_supervisor_ends_everything(command: tuple[str, ...]) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, *command], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    child, words = supervisor.stdout.readline().split()
    family = [int(child), *([int(words)] if words.isdigit() else [])]
    assert all(map(alive, family))
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    until(lambda: not any(map(alive, family)))


def run(body: Callable[[Keeper, list[str], list[bytes]], object], tmp_path: Path) -> None:
    async def main() -> None:
        keeper = Keeper()
        try:
            await body(keeper, [], [])  # type: ignore[misc]
        finally:
            keeper.close()

    asyncio.run(main())


def child_of(words: tuple[str, ...], keeper: Keeper, said: list[str], lines: list[bytes], **more: float) -> Child:
    return Child(Command("shop", words, Path(), lines.append, lines.append, **more), keeper, said.append)  # type: ignore[arg-type]


def test_a_child_that_dies_is_started_again_and_said_so(tmp_path: Path) -> None:
    async def body(keeper: Keeper, said: list[str], lines: list[bytes]) -> None:
        child = child_of(SLEEP, keeper, said, lines)
        await child.start()
        await soon(lambda: len(lines) == 1)
        first = child.process
        assert first is not None
        first.kill()
        await soon(lambda: len(lines) == 2)
        assert child.process is not None
        assert child.process.pid != first.pid
        assert said[0].startswith("shop was ended by SIGKILL after ")
        assert "starting it again in 0.4 s" in said[0]
        await child.stop()
        assert child.process.returncode is not None
        assert len(said) == 1

    run(body, tmp_path)


def test_the_pause_before_a_restart_grows_and_last_words_are_said(tmp_path: Path) -> None:
    words = (sys.executable, "-I", "-S", "-c", "import sys; sys.exit('no such key')")

    async def body(keeper: Keeper, said: list[str], lines: list[bytes]) -> None:
        child = child_of(words, keeper, said, lines)
        await child.start()
        await soon(lambda: len(said) == 3)
        await child.stop()
        assert [s.rpartition(" in ")[2] for s in said] == ["0.4 s", "0.8 s", "1.6 s"]
        assert all("ended with code 1" in s and "last words: no such key" in s for s in said)

    run(body, tmp_path)


def test_stop_kills_what_ignores_sigterm(tmp_path: Path) -> None:
    async def body(keeper: Keeper, said: list[str], lines: list[bytes]) -> None:
        child = child_of(STUBBORN, keeper, said, lines, grace=0.2)
        await child.start()
        await soon(lambda: bool(lines))
        await child.stop()
        assert child.process is not None
        assert child.process.returncode == -signal.SIGKILL
        assert said == []

    run(body, tmp_path)


def test_a_program_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    async def body(keeper: Keeper, said: list[str], lines: list[bytes]) -> None:
        with pytest.raises(CannotRun, match="shop: `no-such-program` cannot be started: no such program"):
            await child_of(("no-such-program",), keeper, said, lines).start()

    run(body, tmp_path)


def test_a_keeper_that_was_killed_does_no_harm(tmp_path: Path) -> None:
    async def body(keeper: Keeper, said: list[str], lines: list[bytes]) -> None:
        os.kill(keeper._process.pid, signal.SIGKILL)
        keeper._process.wait()
        child = child_of(SLEEP, keeper, said, lines)
        await child.start()
        await soon(lambda: bool(lines))
        await child.stop()

    run(body, tmp_path)
