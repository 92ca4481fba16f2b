"""A companion follows its control plane where the two have seen different changes of a contract."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sidecar.reload import Current, Reloader
from tests.projects import CONTRACT, SETTINGS, pets
from tests.waiting import PATIENCE_S, soon
from xds.compile import Compilation
from xds.policy import open as opening

NAME = "pets/v1"
STRICT = SETTINGS.replace("publish: {breaking: allow}\n", "")
NARROW = CONTRACT.replace("maximum: 100", "maximum: 50")


def write(root: Path, contract: str) -> None:
    for name, text in pets(settings=STRICT, contract=contract).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


async def _nobody(seconds: float) -> None:
    """No control plane is told."""


def held(reloader: Reloader) -> str:
    return reloader.current.plan.digests[NAME][0]


def run(root: Path, test: Callable[[Reloader], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = opening.open_engine(None, workers=1, deadline=1.0)
        write(root, CONTRACT)
        reloader = Reloader(root, root / "state", Current(engine), _nobody, lambda opa: engine)
        try:
            await reloader.load()
            await test(reloader)
        finally:
            await engine.close()

    asyncio.run(main())


def test_the_control_planes_word_counts(tmp_path: Path) -> None:
    async def test(reloader: Reloader) -> None:
        wide = held(reloader)
        write(tmp_path, NARROW)
        await reloader.load()
        assert held(reloader) == wide, "it breaks clients"
        narrow = reloader.project.compile().withheld[NAME]
        await reloader.advise({NAME: wide}, {})
        assert held(reloader) == wide
        await reloader.advise({NAME: narrow}, {})
        assert held(reloader) == narrow, "the control plane has seen something else before, and publishes it"
        await reloader.advise({NAME: wide}, {NAME: narrow})
        assert held(reloader) == wide, "the control plane holds it back"
        assert set(reloader.current.plan.digests[NAME]) == {wide, narrow}

    run(tmp_path, test)


def test_a_word_that_comes_while_something_is_compiled_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(reloader: Reloader) -> None:
        compiling, judged, go_on = reloader.project.compile, threading.Event(), threading.Event()
        write(tmp_path, NARROW)
        narrow = compiling().withheld[NAME]

        def slowly() -> Compilation:
            compilation = compiling()
            judged.set()
            assert go_on.wait(PATIENCE_S)
            return compilation

        monkeypatch.setattr(reloader.project, "compile", slowly)
        loading = asyncio.create_task(reloader.load())
        await soon(judged.is_set)
        word = asyncio.create_task(reloader.advise({NAME: narrow}, {}))
        await asyncio.sleep(0)  # it is heard before the compilation ends
        go_on.set()
        await asyncio.gather(loading, word)
        assert held(reloader) == narrow

    run(tmp_path, test)
