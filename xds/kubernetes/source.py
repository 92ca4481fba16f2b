"""A Kubernetes API, watched -> a folder of packs that is kept current."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folder import read, write
from .holdings import Holdings
from .objects import Version

if TYPE_CHECKING:
    from .api import Api

log = logging.getLogger("sidegate")

EVERYWHERE = "*"
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0
"""Between attempts at an API that cannot be read, twice as long each time."""
LASTED_S = 10.0
"""What went on for so long was no failed attempt."""


class KubernetesSource:
    """Labelled ConfigMaps (`sidegate.io/sources: "true"`) of all namespaces or of some, as packs in `folder`.

    Whatever the API does, the folder holds what it last said: also after a restart, and never something older than it held
    before. `config` is a lightkube configuration for a server other than the pod's own.
    """

    def __init__(self, folder: Path, namespaces: Iterable[str] = (), config: Any = None) -> None:
        self.folder, self.scopes, self.config = folder, tuple(sorted(set(namespaces))) or (EVERYWHERE,), config
        self.holdings = Holdings()
        self._troubles: dict[str, str] = {}
        self._listed: set[str] = set()
        self._current: set[str] = set()
        self._known: frozenset[str] = frozenset()
        self._first = asyncio.Event()
        self._dirty = asyncio.Event()

    def problems(self) -> list[str]:
        """Why the folder may not be what the API says now; empty if it is."""
        waiting = [f"{_words(scope)} not listed yet" for scope in self.scopes if scope not in self._listed]
        said = [self._troubles[scope] for scope in sorted(self._troubles)]
        wrong = [s.problem for _, s in sorted(self.holdings.sources.items()) if s.problem]
        return [*said, *(() if said else waiting), *wrong]

    async def first(self, timeout: float = 10.0) -> bool:
        """Wait until everything was listed once and written. False after so many seconds: what was there before counts."""
        try:
            await asyncio.wait_for(self._first.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """List, watch, list again where a watch cannot go on; until cancelled. Raises nothing for trouble with the API."""
        self.holdings = await asyncio.to_thread(read, self.folder)
        self.holdings.narrowed(self.scopes)
        self._known = frozenset(self.holdings.seen)
        tasks = [asyncio.create_task(self._follow(scope)) for scope in self.scopes]
        tasks.append(asyncio.create_task(self._keep()))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, scope: str) -> None:
        from .api import Trouble

        pause, clock = FIRST_WAIT_S, asyncio.get_running_loop().time
        while True:
            began, wait = clock(), 0.0
            try:
                await self._once(scope)
            except Trouble as trouble:
                wait = trouble.wait
                if trouble.is_gone:
                    self._current.discard(scope)
                else:
                    self._tell(scope, trouble.message)
            except Exception as error:
                log.exception("following ConfigMaps failed; what was read of them stays")
                self._tell(scope, f"following ConfigMaps failed: {error}")
            pause = FIRST_WAIT_S if clock() - began > LASTED_S else min(pause * 2, LONGEST_WAIT_S)
            await asyncio.sleep(max(wait, pause * random.uniform(0.5, 1)))

    async def _once(self, scope: str) -> None:
        """A list if one is needed, and watches for as long as they end in peace."""
        from .api import Api

        # A client of its own each time: certificates of the API and tokens are read anew.
        api = await asyncio.to_thread(Api, self.config)
        try:
            if scope not in self._current:
                await self._list(api, scope)
            while True:
                await self._watch(api, scope)
        finally:
            await api.close()

    async def _list(self, api: Api, scope: str) -> None:
        from .api import Trouble

        found, version = await api.list(scope)
        changed = self.holdings.listed(scope, found, version)
        if changed is None:
            held = self.holdings.seen[scope]
            raise Trouble(f"the Kubernetes API lists {_words(scope)} as of {version}, older than {held} seen before")
        self._current.add(scope)
        self._listed.add(scope)
        if changed or not self._first.is_set():
            self._dirty.set()

    async def _watch(self, api: Api, scope: str) -> None:
        began = asyncio.get_running_loop().time()
        async for event in api.watch(scope, self.holdings.seen.get(scope, Version())):
            if self._troubles.pop(scope, None):
                log.info("ConfigMaps of %s are followed again", _words(scope))
            if self.holdings.happened(scope, event):
                self._dirty.set()
        if (lasted := asyncio.get_running_loop().time() - began) < 1:
            # Something in between closes watches: do not run in circles.
            await asyncio.sleep(1 - lasted)

    def _tell(self, scope: str, message: str) -> None:
        if self._troubles.get(scope) != message:
            log.warning("ConfigMaps of %s cannot be read: %s; what was read before stays", _words(scope), message)
        self._troubles[scope] = message

    async def _keep(self) -> None:
        """Write what is held, whenever it differs. Not before everything was listed, now or before a restart: half of
        it would take the other half away from those who have it.
        """
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if not set(self.scopes) <= self._listed | self._known:
                continue
            held = Holdings(dict(self.holdings.sources), dict(self.holdings.seen))
            try:
                await asyncio.to_thread(write, self.folder, held)
            except OSError as error:
                log.warning("the packs of ConfigMaps cannot be written: %s", error)
                self._dirty.set()
                await asyncio.sleep(1)
                continue
            if set(self.scopes) <= self._listed:
                self._first.set()


def _words(scope: str) -> str:
    return "all namespaces" if scope == EVERYWHERE else f"namespace {scope}"
