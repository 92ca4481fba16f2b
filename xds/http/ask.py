"""URL or address -> an answer, or why there is none; each within two seconds, unless more are given."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from xds.http.reach import split

PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Got:
    """An answer: `status` 0 if there is none, `why` then says why. `date` is the header of that name, empty without one."""

    status: int
    text: str = ""
    date: str = ""
    why: str = ""

    @property
    def json(self) -> Any:
        """The content, None if it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


def get(url: str, patience: float = PATIENCE_S) -> Got:
    """GET; follows nothing, and asks through no proxy. `patience` is how many seconds the answer may take."""
    import httpx

    path, url = split(url)
    transport = httpx.HTTPTransport(uds=path) if path else None
    try:
        with httpx.Client(transport=transport, timeout=patience, trust_env=False) as client:
            answer = client.get(url)
    except httpx.HTTPError as error:
        return Got(0, why=str(error) or type(error).__name__)
    return Got(answer.status_code, answer.text, answer.headers.get("date", ""))


def unreachable(host: str, port: int) -> str:
    """Why no connection can be made; empty if it can."""
    try:
        socket.create_connection((host, port), PATIENCE_S).close()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""
