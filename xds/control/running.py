"""A folder and addresses -> the running control plane: publisher, ADS, management API, and what companions refuse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from xds.address import Where, listening
from xds.compile import Compilation
from xds.control.events import Event, Refused
from xds.control.groups import EVERYTHING
from xds.control.plane import ControlPlane
from xds.envoy.profile import Profile
from xds.http.reach import Reach
from xds.http.serving import Serving

log = logging.getLogger("sidegate")

WAIT_S = 20
"""How long one question for news of refusals stays open."""


class Control:
    """The control plane's process part: start it in an event loop, stop it in the same."""

    def __init__(
        self,
        root: Path,
        profile: Profile,
        *,
        management: Where,
        ads: str,
        on_event: Callable[[Event], None],
        state: Path | None = None,
        env: str | None = None,
        service: str = EVERYTHING,
        over: Mapping[str, Any] | None = None,
        packs: Iterable[Path] = (),
    ) -> None:
        self.plane = ControlPlane(
            root, profile, ads=ads, on_event=on_event, state=state, env=env, service=service, over=over, packs=packs
        )
        self.management = management
        self._on_event = on_event
        self._tasks: list[asyncio.Task[None]] = []
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, int] = {}

    async def start(self) -> Compilation:
        """Listen and compile. Returns the first compilation; raises OSError if an address is taken."""
        from xds.control.management import management_app

        # Bound first: uvicorn would end the whole process if the address is taken.
        socket = listening(self.management, backlog=128)
        self._reach = Reach(WAIT_S + 5)
        app = management_app(self.plane, self._fetch)
        compilation = await self.plane.start()
        self._serving = Serving(app, socket)
        self._tasks = [asyncio.create_task(self._follow_companions())]
        return compilation

    async def stop(self) -> None:
        """Close the management API and every stream."""
        await self._serving.stop()
        for task in (*self._tasks, *self._followed.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._followed.values(), return_exceptions=True)
        await self.plane.stop()
        await self._reach.close()

    async def _fetch(self, url: str) -> Any:
        import httpx

        try:
            answer = await self._reach.ask("GET", url, timeout=2.0)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    async def _follow_companions(self) -> None:
        while True:
            for companion in [c for c in self.plane.publisher.companions.values() if c.admin]:
                task = self._followed.get(companion.admin)
                if task is None or task.done():
                    self._followed[companion.admin] = asyncio.create_task(self._follow(companion.admin))
            await asyncio.sleep(0.2)

    async def _follow(self, admin: str) -> None:
        """Turn a companion's refusals into events, until it goes away."""
        import httpx

        after = self._told.get(admin, 0)
        while True:
            try:
                answer = await self._reach.ask("GET", f"{admin}/refusals", params={"after": after, "wait": WAIT_S})
                records = answer.json() if answer.status_code == 200 else []
                for record in records:
                    after = self._told[admin] = max(after, int(record["number"]))
                    self._on_event(Refused(record))
            except (httpx.HTTPError, ValueError):
                await asyncio.sleep(0.5)
                return
            except Exception:
                log.exception("what the companion at %s refuses cannot be told", admin)
                await asyncio.sleep(0.5)
