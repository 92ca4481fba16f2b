"""Plan -> the control plane knows which digests this companion holds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from sidecar.plan import trimmed
from sidecar.reload import Current
from xds.handshake import EVERY_S
from xds.http.reach import Reach

log = logging.getLogger("sidegate.companion")


async def _unheard(wanted: Mapping[str, str], withheld: Mapping[str, str]) -> None:
    """Nobody minds."""


class Line(Protocol):
    """How reports reach a control plane."""

    async def send(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring a report; the answer (management.yaml, `report`). Raises ConnectionError."""

    async def close(self) -> None: ...


class Beside:
    """The line to the control plane on the same machine: `PUT /companions/{node}` of its management API."""

    def __init__(self, url: str, node: str) -> None:
        self._url = f"{url}/companions/{quote(node, safe='')}"
        self._reach = Reach(2.0)

    async def send(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        import httpx

        try:
            answer = await self._reach.ask("PUT", self._url, json=report)
            answer.raise_for_status()
            said: Mapping[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        return said

    async def close(self) -> None:
        await self._reach.close()


class Reporter:
    """Sends reports: at once when the plan changed, and every two seconds.

    The answer names the digests that routes may still name; what neither it nor the report has is let go.
    """

    advise: Callable[[Mapping[str, str], Mapping[str, str]], Awaitable[None]]
    """Told the digests that are to be judged by next, and those that are held back."""

    def __init__(self, line: Line | None, admin: str, current: Current, service: str = "") -> None:
        self.line, self.admin, self.current, self.service = line, admin, current, service
        self._seconds = 0.0
        self.advise = _unheard
        self._changed = asyncio.Event()
        self._tried = line is None
        self._needed: Mapping[str, list[str]] = {}

    def missing(self) -> list[str]:
        """Why requests may be refused though contracts are held: routes may name others, those of the companions beside."""
        if not self._tried:
            return ["the control plane was not told yet what is held"]
        plan = self.current.plan
        named = {name: digests for name, digests in self._needed.items() if digests and name in plan.current}
        return [
            f"routes of {name} name {', '.join(digests)}, which is not held"
            for name, digests in named.items()
            if not {*digests} & {*plan.digests.get(name, ())}
        ]

    async def report(self, seconds: float) -> None:
        """The plan changed; `seconds` is how long that took from the change of the files. The running loop sends it."""
        self._seconds = seconds
        self._changed.set()

    async def run(self) -> None:
        """Send, until cancelled. A control plane that is away is tried again; traffic does not depend on it."""
        if self.line is None:
            return
        away = False
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2 if away else EVERY_S):
                        await self._changed.wait()
                self._changed.clear()
                if not self.current.plan.held:
                    continue
                try:
                    await self._send(self.line)
                    away = False
                except ConnectionError as error:
                    if not away:
                        log.warning("the control plane does not take reports: %s", error)
                    away = True
                self._tried = True
        finally:
            await self.line.close()

    async def _send(self, line: Line) -> None:
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
        said = await line.send(document)
        self._needed = said["needed"]
        self.current.plan = trimmed(self.current.plan, offered, said["needed"])
        await self.advise(said.get("wanted", {}), said.get("withheld", {}))
