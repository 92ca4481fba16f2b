"""a project's folder -> a tick whenever something in it changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from watchfiles import Change, awatch

from xds.settings import FILE
from xds.source.packs import ENDING as PACK

log = logging.getLogger("sidegate")

DEEP = ("contracts", "policies")
DEBOUNCE_MS, STEP_MS = 40, 10
"""An editor's burst of writes comes as one tick; the first judged request should follow a save within 250 ms."""
RECHECK_S = 5.0
"""How often the folders to watch are looked up again: folders come and go, and so do the files settings name."""
SETTLE_S = 0.3


async def changes(
    root: Path, extra: Callable[[], Iterable[str]] = tuple, packs: Iterable[Path] = ()
) -> AsyncIterator[None]:
    """Yield whenever a file of the project changed: under contracts/ and policies/, sidegate.yaml, a pack in the project's
    folder or one of `packs`, or one of `extra()`.

    Ticks may come without a change (one whenever the folders to watch are new), never the other way round: whoever
    reads after a tick sees everything that was written before it.
    """
    further = tuple(packs)
    while True:
        deep, flat, names = _folders(root, extra(), further)
        stop, tick = asyncio.Event(), asyncio.Event()
        watches = [
            asyncio.create_task(_watch([p for p in paths if p.is_dir()], recursive, names, tick, stop))
            for paths, recursive in ((deep, True), (flat, False))
            if paths
        ]
        try:
            # What changed before the watches stood is seen now.
            await asyncio.sleep(SETTLE_S)
            yield None
            while (deep, flat, names) == _folders(root, extra(), further) and not any(
                watch.done() for watch in watches
            ):
                try:
                    async with asyncio.timeout(RECHECK_S):
                        await tick.wait()
                except TimeoutError:
                    continue
                tick.clear()
                yield None
        finally:
            stop.set()
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)


def _folders(root: Path, extra: Iterable[str], packs: Iterable[Path]) -> tuple[list[Path], list[Path], frozenset[str]]:
    """The folders to watch with all below, those to watch alone, and the names of files that matter in the latter."""
    files = tuple(extra)
    deep = [root / name for name in DEEP if (root / name).is_dir()]
    flat = sorted({root, *packs, *((root / file).parent for file in files)} - set(deep))
    return deep, flat, frozenset((FILE, *DEEP, *(Path(file).name for file in files), "..data"))


async def _watch(
    paths: list[Path], recursive: bool, names: frozenset[str], tick: asyncio.Event, stop: asyncio.Event
) -> None:
    def concerns(_: Change, path: str) -> bool:
        return recursive or Path(path).name in names or path.endswith(PACK)

    options = {"debounce": DEBOUNCE_MS, "step": STEP_MS, "recursive": recursive, "stop_event": stop}
    try:
        async for _ in awatch(*paths, watch_filter=concerns, **options):  # type: ignore[arg-type]
            tick.set()
    except Exception as error:  # noqa: BLE001 - whatever ails it, polling goes on
        # No change notices left (inotify limits), or none to be had: polling finds changes a little later, but finds them.
        log.warning("no change notices from the system (%s): polling instead", error)
        async for _ in awatch(*paths, watch_filter=concerns, force_polling=True, **options):  # type: ignore[arg-type]
            tick.set()
