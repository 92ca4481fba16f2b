"""Readiness, metrics -> what a kubelet and Prometheus ask of a process: `/live`, `/ready`, `/metrics`, `/probe/...`.

The only HTTP of Sidegate's own that listens on every address: it says nothing of requests and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from xds.http.reach import Reach
from xds.http.scrape import CONTENT_TYPE

PROBE = "/probe/"
PATIENCE_S = 5.0


@dataclass(slots=True)
class Probes:
    """The ASGI application.

    `missing` says why the process cannot serve, empty if it can. That this answers at all is `/live`: it depends on nothing
    but the process itself, so that nobody restarts it for another's fault. `degraded` says what is not as it should be though
    it can serve. `probes` are those of the app beside it, as
    `port/path`; no other address is ever asked.
    """

    missing: Callable[[], Awaitable[Sequence[str]]]
    metrics: Callable[[], Awaitable[str | None]]
    probes: Collection[str] = ()
    degraded: Callable[[], Sequence[str]] = tuple
    _reach: Reach = field(default_factory=lambda: Reach(PATIENCE_S))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, body, kind = await self._answer(scope["method"], scope["path"])
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str) -> tuple[int, bytes, str]:
        if method not in ("GET", "HEAD"):
            return _json(405, title="Method Not Allowed")
        if path == "/live":
            return _json(200, live=True)
        if path == "/ready":
            missing = list(await self.missing())
            status = 503 if missing else 200
            noted = {"degraded": found} if (found := list(self.degraded())) else {}
            return _json(status, ready=not missing, missing=missing, **noted)
        if path == "/metrics" and (text := await self.metrics()) is not None:
            return 200, text.encode(), CONTENT_TYPE
        if path.startswith(PROBE) and path.removeprefix(PROBE) in self.probes:
            return await self._app(path.removeprefix(PROBE))
        return _json(404, title="Not Found")

    async def _app(self, probe: str) -> tuple[int, bytes, str]:
        """The app's own probe: it listens on loopback, where no kubelet reaches it."""
        import httpx

        port, _, path = probe.partition("/")
        try:
            answer = await self._reach.ask("GET", f"http://127.0.0.1:{port}/{path}")
        except httpx.HTTPError as error:
            return _json(503, title=f"the app does not answer: {error or type(error).__name__}")
        return _json(answer.status_code, title="as the app answered")

    async def close(self) -> None:
        """Close connections to the app."""
        await self._reach.close()


def probe(text: str) -> str:
    """Read `PORT/PATH`. Raises ValueError."""
    port, slash, _ = text.partition("/")
    if not slash or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"'{text}' is not PORT/PATH, as 9000/healthz")
    return text


def _json(status: int, **content: Any) -> tuple[int, bytes, str]:
    return status, json.dumps(content).encode(), "application/json"
