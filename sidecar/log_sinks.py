"""Lines of JSON -> standard output, a file that does not grow without end, or a collector as OPA's reporter asks one."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import os
import sys
from collections import deque
from pathlib import Path
from typing import Any

log = logging.getLogger("sidegate.companion")

BUFFER = 16 << 20
"""Octets that wait for the collector; what comes beyond displaces the oldest."""
UPLOAD = 32768
"""Octets of one upload, compressed: OPA's `upload_size_limit_bytes`."""
CHUNK = 256
"""Events of one upload at the most."""
AUTHORIZATION = 16384
"""Octets of an authorization at the most."""


class Console:
    """Standard output, a line an event. A reader who is slow is waited for outside of the event loop."""

    async def write(self, lines: list[bytes]) -> int:
        try:
            await asyncio.to_thread(_print, b"".join(line + b"\n" for line in lines))
        except OSError:
            return len(lines)
        return 0

    async def close(self) -> None:
        """Nothing is held back."""


def _print(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


class File:
    """A file of `size` octets at the most (one event, if that is larger); `keep` older ones have a number after their name."""

    def __init__(self, path: Path, size: int, keep: int) -> None:
        self._path, self._size, self._keep = path, size, keep

    async def write(self, lines: list[bytes]) -> int:
        return await asyncio.to_thread(self._append, lines)

    async def close(self) -> None:
        """Nothing is held back."""

    def _append(self, lines: list[bytes]) -> int:
        written = 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            while written < len(lines):
                length = self._path.stat().st_size if self._path.exists() else 0
                if length and length + len(lines[written]) + 1 > self._size:
                    self._turn()
                    length = 0
                with open(self._path, "ab", opener=_own) as file:
                    while written < len(lines) and (not length or length + len(lines[written]) + 1 <= self._size):
                        length += file.write(lines[written] + b"\n")
                        written += 1
        except OSError as error:
            log.warning("the decision log cannot be written: %s", error.strerror)
        return len(lines) - written

    def _turn(self) -> None:
        for number in range(self._keep, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class Collector:
    """POSTs what there is every `interval` seconds: a JSON array, compressed, of bounded size. What is not taken waits."""

    def __init__(self, url: str, interval: float, authorization: Path | None = None) -> None:
        """`authorization` is a file, read anew for each upload since it may be rotated. Without it nothing is sent."""
        self._url, self._interval, self._authorization = url, interval, authorization
        self._held: deque[bytes] = deque()
        self._size = self._lost = 0
        self._away = False
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def write(self, lines: list[bytes]) -> int:
        for line in lines:
            self._held.append(line)
            self._size += len(line)
        while self._size > BUFFER:
            self._size -= len(self._held.popleft())
            self._lost += 1
        lost, self._lost = self._lost, 0
        return lost

    async def close(self) -> None:
        """Send what is left, for two seconds at most."""
        self._closing.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._task, 2.0)
        if self._held:
            log.warning("the decision log lost %d events that the collector did not take", len(self._held))

    async def _run(self) -> None:
        import httpx

        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
            while not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._closing.wait()
                try:
                    await self._send_all(client)
                    self._away = False
                except httpx.HTTPStatusError as error:
                    self._complain(f"the collector does not take decisions: it answers {error.response.status_code}")
                except httpx.HTTPError as error:
                    self._complain(f"the collector does not take decisions: {type(error).__name__}")
                except Unauthorized as why:
                    self._complain(f"decisions wait for the collector's authorization: {why}")

    def _complain(self, what: str) -> None:
        if not self._away:
            log.warning("%s", what)
        self._away = True

    async def _send_all(self, client: Any) -> None:
        """Send until nothing is left. What waits is let go of only when it was taken."""
        while self._held:
            lines = [self._held[index] for index in range(min(CHUNK, len(self._held)))]
            count, body = await asyncio.to_thread(_packed, lines)
            if body is not None:
                headers = {"content-type": "application/json", "content-encoding": "gzip"}
                if self._authorization is not None:
                    headers["authorization"] = await asyncio.to_thread(authorization, self._authorization)
                (await client.post(self._url, content=body, headers=headers)).raise_for_status()
            else:
                self._lost += 1
            for line in lines[:count]:
                if self._held and self._held[0] is line:  # else it was displaced meanwhile
                    self._size -= len(self._held.popleft())


class Unauthorized(Exception):
    """Why there is no authorization to send; never what the file holds."""


def authorization(path: Path) -> str:
    """The header's value from a file: all of it where it names a scheme (`Basic dXNlcg==`), else a bearer token (RFC 6750).
    Raises Unauthorized."""
    try:
        with open(path, "rb") as file:
            text = file.read(AUTHORIZATION + 1).strip()
    except (OSError, ValueError) as error:
        raise Unauthorized(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or 'no path'}") from None
    if not text or len(text) > AUTHORIZATION or any(not 0x20 <= octet < 0x7F for octet in text):
        raise Unauthorized(f"{path.name} holds no token: one line of visible ASCII is one")
    value = text.decode("ascii")
    return value if " " in value else f"Bearer {value}"


def _packed(lines: list[bytes]) -> tuple[int, bytes | None]:
    """As many of the events as go into one upload, and the upload; None for one that does not."""
    while lines:
        body = gzip.compress(b"[" + b",".join(lines) + b"]", 6)
        if len(body) <= UPLOAD:
            return len(lines), body
        if len(lines) == 1:
            return 1, None
        lines = lines[: len(lines) // 2]
    return 0, None


def _own(path: str, flags: int) -> int:
    """Opens a file that only its owner may read: inputs hold what people sent."""
    return os.open(path, flags, 0o600)
