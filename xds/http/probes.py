"""Readiness, metrics -> what a kubelet and Prometheus ask of a process: `/live`, `/ready`, `/metrics`, `/probe/...`.

The only HTTP of Sidegate's own that listens on every address: it says nothing of requests and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from xds.http.reach import Reach
from xds.http.scrape import CONTENT_TYPE

PROBE = "/probe/"
PATIENCE_S = 60.0
"""For the app's answers: how long is too long the kubelet says, by `timeoutSeconds`."""
_OWN = frozenset(("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"))
"""Headers of one connection alone (RFC 9110, section 7.6.1)."""


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
        status, body, kind = await self._answer(scope["method"], scope["path"], scope)
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str, scope: Mapping[str, Any]) -> tuple[int, bytes, str]:
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
        asked = _asked(scope)
        if path.startswith(PROBE) and _meant(asked) in map(_meant, self.probes):
            return await self._app(asked, _headers(scope))
        return _json(404, title="Not Found")

    async def _app(self, probe: str, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
        """The app's own probe, as the kubelet asks: the app listens on loopback, where no kubelet reaches it."""
        import httpx

        port, _, path = probe.partition("/")
        try:
            answer = await self._reach.ask("GET", f"http://127.0.0.1:{port}/{path}", headers=headers)
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


def _asked(scope: Mapping[str, Any]) -> str:
    """The probe that is asked for, as it was written."""
    path: str = scope["raw_path"].partition(b"?")[0].decode("latin-1")
    query: str = scope["query_string"].decode("latin-1")
    return path.removeprefix(PROBE) + (f"?{query}" if query else "")


def _meant(probe: str) -> tuple[str, str]:
    """A probe's path without escapes, and its query: kubelets escape what the pod says bare, and send no fragment."""
    path, _, query = probe.partition("#")[0].partition("?")
    return unquote(path), query


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The probe's own headers. `Host` is the app's business only where the pod names one: else it is this port's."""
    pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    here = f":{(scope.get('server') or ('', ''))[1]}"
    return {name: value for name, value in pairs if name not in _OWN and not (name == "host" and value.endswith(here))}


def _json(status: int, **content: Any) -> tuple[int, bytes, str]:
    return status, json.dumps(content).encode(), "application/json"
