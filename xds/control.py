"""A folder and addresses -> the running control plane: publisher, ADS, management API, and what companions refuse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xds.address import Address
from xds.compile import Compilation
from xds.envoy.profile import Profile
from xds.events import Event, Refused
from xds.plane import ControlPlane

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
        management: Address,
        ads: str,
        on_event: Callable[[Event], None],
        state: Path | None = None,
        env: str | None = None,
    ) -> None:
        self.plane = ControlPlane(root, profile, ads=ads, on_event=on_event, state=state, env=env)
        self.management = management
        self._on_event = on_event
        self._tasks: list[asyncio.Task[None]] = []
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, int] = {}

    async def start(self) -> Compilation:
        """Listen and compile. Returns the first compilation; raises OSError if an address is taken."""
        import httpx
        import uvicorn

        from xds.management import management_app

        self._client = httpx.AsyncClient(timeout=WAIT_S + 5, trust_env=False)
        app = management_app(self.plane, self._fetch)
        # Bound here: uvicorn would end the whole process if the address is taken.
        family = socket.AF_INET6 if ":" in self.management.host else socket.AF_INET
        listening = socket.create_server((self.management.host, self.management.port), family=family, backlog=128)
        config = uvicorn.Config(
            app,
            loop="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        compilation = await self.plane.start()
        self._tasks = [
            asyncio.create_task(self._server.serve([listening])),
            asyncio.create_task(self._follow_companions()),
        ]
        return compilation

    async def stop(self) -> None:
        """Close the management API and every stream."""
        self._server.should_exit = True
        await asyncio.wait(self._tasks[:1], timeout=3)
        for task in (*self._tasks, *self._followed.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._followed.values(), return_exceptions=True)
        await self.plane.stop()
        await self._client.aclose()

    async def _fetch(self, url: str) -> Any:
        import httpx

        try:
            answer = await self._client.get(url, timeout=2.0)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    async def _follow_companions(self) -> None:
        while True:
            for companion in self.plane.publisher.companions.values():
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
                answer = await self._client.get(f"{admin}/refusals", params={"after": after, "wait": WAIT_S})
                records = answer.json() if answer.status_code == 200 else []
            except (httpx.HTTPError, ValueError):
                await asyncio.sleep(0.5)
                return
            for record in records:
                after = self._told[admin] = max(after, int(record["number"]))
                self._on_event(Refused(record))
