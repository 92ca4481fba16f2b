"""A shared control plane's sources of a service -> a project that is compiled as a folder would be."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from sidecar.central import Central
from xds import handshake
from xds.handout import tree_of
from xds.project.project import Project
from xds.source import Tree

log = logging.getLogger("sidegate.companion")

WAIT_S = 20.0
"""How long one question for other sources stays open."""
AGAIN_S = 0.5


class Received(Project):
    """A project whose files come from the control plane, by the certificate with which reports go there.

    The last are kept in `state`, so that a companion that starts while no control plane is there judges by those.
    """

    def __init__(self, central: Central, service: str, state: Path) -> None:
        super().__init__(state, state, closed=True)
        self._central, self._service = central, service
        self._file = state / "sources.json"
        self._document: Mapping[str, Any] = {}
        self._files = Tree({}, ())

    async def changes(self) -> AsyncIterator[None]:
        """Yield once there are sources, and again with each change, for ever."""
        if await asyncio.to_thread(self._from_disk):
            yield None
        while True:
            asked = {"service": self._service or handshake.EDGE, "have": self.revision, "wait": WAIT_S}
            try:
                answer = await self._central.any(handshake.SOURCES, json.dumps(asked).encode(), WAIT_S + 5)
                document = json.loads(answer)
                if document:
                    self._take(document)
                    await asyncio.to_thread(self._to_disk)
                    yield None
            except (ConnectionError, ValueError, KeyError) as error:
                log.debug("no sources: %s", error)
                await asyncio.sleep(AGAIN_S)

    @property
    def revision(self) -> str:
        """What the control plane calls the sources that are here; empty if there are none."""
        return str(self._document.get("revision", ""))

    def _read(self, before: Tree) -> Tree:
        return self._files

    def _take(self, document: Mapping[str, Any]) -> None:
        self._files, self._document = tree_of(document), document
        self.env = document["env"]

    def _from_disk(self) -> bool:
        try:
            self._take(json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError) as error:
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
