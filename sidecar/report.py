"""Plan -> the control plane knows which digests this companion holds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from sidecar.plan import Plan

log = logging.getLogger("sidegate.companion")

EVERY_S = 2.0
"""How often a report is repeated; the control plane takes a companion for gone after three that did not come."""


class Reporter:
    """Sends `PUT /companions/{node}` to the control plane: at once when the plan changed, and every two seconds."""

    def __init__(self, url: str | None, node: str, admin: str) -> None:
        self.url, self.node, self.admin = url, node, admin
        self._document: dict[str, Any] | None = None
        self._changed = asyncio.Event()

    async def report(self, plan: Plan, seconds: float) -> None:
        """Take over what a plan holds, and how long it took from the change to there; the running loop sends it."""
        self._document = {
            "admin": self.admin,
            "digests": plan.digests,
            "revisions": plan.revisions,
            "seconds": round(seconds, 6),
        }
        self._changed.set()

    async def run(self) -> None:
        """Send, until cancelled. A control plane that is away is tried again; traffic does not depend on it."""
        if self.url is None:
            return
        import httpx

        away = False
        async with httpx.AsyncClient(base_url=self.url, timeout=2.0, trust_env=False) as client:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.2 if away else EVERY_S)
                self._changed.clear()
                if self._document is None:
                    continue
                try:
                    answer = await client.put(f"/companions/{self.node}", json=self._document)
                    answer.raise_for_status()
                    away = False
                except httpx.HTTPError as error:
                    if not away:
                        log.warning("the control plane does not take reports: %s", error)
                    away = True
