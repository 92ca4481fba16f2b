"""a project's folder -> a tick whenever something in it changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from watchfiles import Change, awatch

log = logging.getLogger("sidegate")

DEEP = ("contracts", "policies")
DEBOUNCE_MS, STEP_MS = 40, 10
"""An editor's burst of writes comes as one tick; the first judged request should follow a save within 250 ms."""
RECHECK_S = 5.0
"""How often the folders to watch are looked up again: folders come and go, and so do the files settings name."""


async def changes(root: Path, extra: Iterable[str] = ()) -> AsyncIterator[None]:
    """Yield whenever a file of the project changed: under contracts/ and policies/, sidegate.yaml, or one of `extra`.

    Ticks may come without a change (the folders are looked up again now and then), never the other way round: whoever
    reads after a tick sees everything that was written before it.
    """
    while True:
        deep = [root / name for name in DEEP if (root / name).is_dir()]
        flat = sorted({root, *((root / file).parent for file in extra)} - set(deep))
        stop = asyncio.Event()
        tick = asyncio.Event()
        watches = [
            asyncio.create_task(_watch([p for p in paths if p.is_dir()], recursive, tick, stop))
            for paths, recursive in ((deep, True), (flat, False))
            if paths
        ]
        try:
            while deep == [root / name for name in DEEP if (root / name).is_dir()]:
                try:
                    await asyncio.wait_for(tick.wait(), RECHECK_S)
                except TimeoutError:
                    continue
                tick.clear()
                yield None
        finally:
            stop.set()
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
        yield None


async def _watch(paths: list[Path], recursive: bool, tick: asyncio.Event, stop: asyncio.Event) -> None:
    def concerns(_: Change, path: str) -> bool:
        return recursive or Path(path).suffix in (".yaml", ".json") or Path(path).name in DEEP

    options = {"debounce": DEBOUNCE_MS, "step": STEP_MS, "recursive": recursive, "stop_event": stop}
    try:
        async for _ in awatch(*paths, watch_filter=concerns, **options):  # type: ignore[arg-type]
            tick.set()
    except OSError as error:
        # No change notices left (inotify limits): polling finds changes a little later, but finds them.
        log.warning("no change notices from the system (%s): polling instead", error)
        async for _ in awatch(*paths, watch_filter=concerns, force_polling=True, **options):  # type: ignore[arg-type]
            tick.set()
