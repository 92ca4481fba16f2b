"""A replica of the shared control plane is ready once it answers, and not as soon as it has compiled."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest

from tests.projects import pets, write
from tests.roles.running import short_folder
from tests.waiting import PATIENCE_S
from xds.address import UnixSocket
from xds.commands.control_plane import arguments
from xds.compile import Compilation
from xds.control.plane import ControlPlane
from xds.http.ask import get
from xds.roles.control_plane import SharedControlPlane
from xds.up.ports import free_port


def test_it_is_ready_once_it_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its start is held up when everything is compiled, and nobody answers at its management API yet."""
    compiled, go_on, start = asyncio.Event(), asyncio.Event(), ControlPlane.start

    async def held_up(plane: ControlPlane) -> Compilation:
        made = await start(plane)
        assert made.gateway.services
        compiled.set()
        await go_on.wait()
        return made

    monkeypatch.setattr(ControlPlane, "start", held_up)

    async def test(run: Path) -> None:
        port, stop = free_port(), asyncio.Event()
        words = [str(write(tmp_path / "pets", pets())), "--run", str(run), "--state", str(run / "state")]
        words += ["--management", f"127.0.0.1:{port}", "--xds", f"unix:{run}/xds.sock"]
        parser = argparse.ArgumentParser()
        arguments(parser)
        task = asyncio.create_task(SharedControlPlane(parser.parse_args(words)).run(stop))

        async def asked(url: str) -> int:
            return (await asyncio.to_thread(get, url, PATIENCE_S)).status

        await compiled.wait()
        assert await asked(f"http://127.0.0.1:{port}/ready") == 503
        go_on.set()
        while await asked(f"http://127.0.0.1:{port}/ready") != 200:
            assert not task.done(), task.result()
        assert await asked(f"{UnixSocket(str(run / 'management.sock')).url}/clients") == 200
        stop.set()
        assert await task == 0

    with short_folder() as run:
        asyncio.run(asyncio.wait_for(test(run), PATIENCE_S))
