"""A shared control plane's sources of a service -> a project that is compiled as a folder would be."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from sidecar.central import Central
from sidecar.offers import Offer, chosen, older
from xds.handout import tree_of
from xds.project.project import Project
from xds.source import Tree

log = logging.getLogger("sidegate.companion")

LOOK_S = 5.0
"""How often addresses and certificates are looked at, if no replica says anything."""
AGAIN_S, LONGEST_S = 0.5, 8.0
"""Between two attempts to have sources, twice as long each time, and not the same for all who were refused at once."""
BEHIND_S = 60.0
"""How long a replica with older sources than are held may take to come to the same, before they count: who is right cannot
be told for ever, and an API server's state may have been put back."""


class Received(Project):
    """A project whose files come from the control plane, by the certificate with which reports go there.

    The last are kept in `state`, so that a companion that starts while no control plane is there judges by those.
    """

    def __init__(self, central: Central, state: Path) -> None:
        super().__init__(state, state, closed=True)
        self._central = central
        self._target = ""
        self._problem = ""
        self._behind: float | None = None
        self._file = state / "sources.json"
        self._document: Mapping[str, Any] = {}
        self._files = Tree({}, ())

    async def changes(self) -> AsyncIterator[None]:
        """Yield once there are sources, and again with each change, for ever."""
        if await asyncio.to_thread(self._from_disk):
            yield None
        pause = AGAIN_S
        while True:
            try:
                offer = self._next(await self._central.offers())
                if offer is not None:
                    self._take(await self._central.sources(offer.target), offer.target)
                    await asyncio.to_thread(self._to_disk)
                    yield None
            except (ConnectionError, ValueError, KeyError, TypeError, AttributeError) as error:
                self._tell(f"the control plane's sources cannot be used: {error}")
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(2 * pause, LONGEST_S)
            else:
                self._tell("")
                pause = AGAIN_S
                await self._central.news(LOOK_S if offer is None else 0)

    def _tell(self, problem: str) -> None:
        """Log a problem once for as long as it stays."""
        if problem and problem != self._problem:
            log.warning(problem)
        self._problem = problem

    def _next(self, offers: list[Offer]) -> Offer | None:
        """What to take now. Older sources than are held only if they are still all that there is after a while."""
        held = Offer(self._target, self.revision, int(self._document.get("order", 0)))
        offer = chosen(held, offers)
        if offer is None or not older(offer, held):
            self._behind = None
            return offer
        if self._behind is None:
            self._behind = time.monotonic()
            log.info("the control plane at %s has older sources than are held: it is waited for", offer.target)
        return offer if time.monotonic() - self._behind > BEHIND_S else None

    @property
    def revision(self) -> str:
        """What the control plane calls the sources that are here; empty if there are none."""
        return str(self._document.get("revision", ""))

    def _read(self, before: Tree) -> Tree:
        return self._files

    def _take(self, document: Mapping[str, Any], target: str = "") -> None:
        self._files, self._document, self._target = tree_of(document), document, target
        self.env = document["env"]

    def _from_disk(self) -> bool:
        try:
            self._take(json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("the sources kept cannot be read: %s", error)
            return False
        return True

    def _to_disk(self) -> None:
        beside = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(self._document, file)
            beside.replace(self._file)
        except OSError as error:
            log.warning("the sources cannot be kept: %s", error)
