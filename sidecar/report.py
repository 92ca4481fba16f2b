"""Plan -> the control plane knows which digests this companion holds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from sidecar.plan import trimmed
from sidecar.reload import Current
from xds.reach import Reach

log = logging.getLogger("sidegate.companion")


async def _unheard(wanted: Mapping[str, str], withheld: Mapping[str, str]) -> None:
    """Nobody minds."""


EVERY_S = 2.0
"""How often a report is repeated; the control plane takes a companion for gone after three that did not come."""


class Reporter:
    """Sends `PUT /companions/{node}` to the control plane: at once when the plan changed, and every two seconds.

    The answer names the digests that routes may still name; what neither it nor the report has is let go.
    """

    advise: Callable[[Mapping[str, str], Mapping[str, str]], Awaitable[None]]
    """Told the digests that are to be judged by next, and those that are held back."""

    def __init__(self, url: str | None, node: str, admin: str, current: Current, service: str = "") -> None:
        self.url, self.node, self.admin, self.current, self.service = url, node, admin, current, service
        self._seconds = 0.0
        self.advise = _unheard
        self._changed = asyncio.Event()

    async def report(self, seconds: float) -> None:
        """The plan changed; `seconds` is how long that took from the change of the files. The running loop sends it."""
        self._seconds = seconds
        self._changed.set()

    async def run(self) -> None:
        """Send, until cancelled. A control plane that is away is tried again; traffic does not depend on it."""
        if self.url is None:
            return
        import httpx

        away, reach = False, Reach(2.0)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.2 if away else EVERY_S)
                self._changed.clear()
                if not self.current.plan.held:
                    continue
                try:
                    await self._send(self.url, reach)
                    away = False
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    if not away:
                        log.warning("the control plane does not take reports: %s", error or type(error).__name__)
                    away = True
        finally:
            await reach.close()

    async def _send(self, url: str, reach: Reach) -> None:
        plan = self.current.plan
        offered = plan.offered
        document: dict[str, Any] = {
            "admin": self.admin,
            "service": self.service,
            "digests": offered,
            "revisions": plan.revisions,
            "seconds": round(self._seconds, 6),
            "problems": list(await self.current.engine.problems()),
        }
        document["problems"] += [f"the policies of {s} are refused: {why}" for s, why in self.current.refused.items()]
        answer = await reach.ask("PUT", f"{url}/companions/{quote(self.node, safe='')}", json=document)
        answer.raise_for_status()
        said = answer.json()
        self.current.plan = trimmed(self.current.plan, offered, said["needed"])
        await self.advise(said.get("wanted", {}), said.get("withheld", {}))
