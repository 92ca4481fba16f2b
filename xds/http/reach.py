"""URL -> answer, also where the URL is one of a unix socket (`http+unix://%2Fpath/of.sock/asked`)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

_UNIX = "http+unix://"


class Reach:
    """HTTP clients, one for each socket and one for all else. Belongs to one event loop."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._clients: dict[str, Any] = {}

    async def ask(self, method: str, url: str, **more: Any) -> Any:
        """The answer, whatever its status. Raises httpx.HTTPError if there is none."""
        path, url = split(url)
        return await self._client(path).request(method, url, **more)

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    def _client(self, path: str) -> Any:
        import httpx

        if path not in self._clients:
            transport = httpx.AsyncHTTPTransport(uds=path) if path else None
            self._clients[path] = httpx.AsyncClient(transport=transport, timeout=self._timeout, trust_env=False)
        return self._clients[path]


def split(url: str) -> tuple[str, str]:
    """The path of the socket, empty if there is none, and the URL to ask on it."""
    if not url.startswith(_UNIX):
        return "", url
    socket, slash, asked = url.removeprefix(_UNIX).partition("/")
    return unquote(socket), f"http://localhost{slash}{asked}"
