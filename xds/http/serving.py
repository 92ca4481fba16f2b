"""ASGI application, socket -> it is served in the running event loop, and ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any


class Serving:
    """One application on one listening socket."""

    def __init__(self, app: Any, on: socket.socket, grace: int = 1) -> None:
        import uvicorn

        config = uvicorn.Config(
            app,
            loop="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=grace,
        )
        self._server = uvicorn.Server(config)
        # Signals are for whoever started this.
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        self._task = asyncio.create_task(self._server.serve([on]))

    async def stop(self) -> None:
        """Take no new connections, let requests end, close."""
        self._server.should_exit = True
        await asyncio.wait([self._task], timeout=3)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
