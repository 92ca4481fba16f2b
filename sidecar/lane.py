"""Reports -> one replica of a shared control plane, over a stream that is kept open; what it says comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from xds import handshake

TIMEOUT_S = 5.0
"""How long an answer to a report may take."""
ASK_S = 30.0
"""How long sources may take: where a thousand ask at once, who gave up and asked again would make it longer for all."""
FIRST_S, LONGEST_S = 0.1, 2.0
"""Between two attempts at a replica that is away, twice as long each time."""
LASTED_S = 10.0
"""A stream that went on for so long was no failed attempt; one that was refused soon was, whatever was said in it before."""
BYE_S = 1.0


class Lane:
    """The stream to one replica, from when it is made until `close`.

    `said` is what the replica said last, `problem` why it is away, if it is. `heard` is called with each of both. `open_`
    makes a channel; it may fail with OSError while files are exchanged.
    """

    def __init__(self, open_: Callable[[], Any], first: Mapping[str, str], heard: Callable[[Lane], None]) -> None:
        self.said: Mapping[str, Any] | None = None
        self.problem = ""
        self._open, self._first, self._heard = open_, json.dumps(first).encode(), heard
        self._channel: Any = None
        self._report: bytes | None = None
        self._sent: tuple[bytes | None, int] = None, 0
        self._due, self._news = asyncio.Event(), asyncio.Event()
        self._bye = False
        self._task = asyncio.create_task(self._run())

    async def tell(self, report: bytes) -> Mapping[str, Any]:
        """Bring a report, unless the replica has it; what it says since. Raises ConnectionError."""
        if report != self._report:
            self._report = report
            self._due.set()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not self._answered(report):
                    if self.problem:
                        raise ConnectionError(self.problem)
                    await self._news.wait()
        except TimeoutError:
            raise ConnectionError("no answer in time") from None
        assert self.said is not None
        return self.said

    async def ask(self, method: str, data: bytes) -> bytes:
        """One question beside the stream. Raises ConnectionError."""
        try:
            answer: bytes = await self._opened().unary_unary(_path(method))(data, timeout=ASK_S)
        except Exception as error:
            raise ConnectionError(reason(error)) from error
        return answer

    async def close(self, *, bye: bool = False) -> None:
        """End the stream; with `bye` the replica is told that this companion goes."""
        if bye and self.said is not None:
            self._bye = True
            self._due.set()
            await asyncio.wait([self._task], timeout=BYE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()

    def _answered(self, report: bytes) -> bool:
        sent, number = self._sent
        return self.said is not None and sent == report and self.said["taken"] >= number

    async def _run(self) -> None:
        pause = FIRST_S
        while True:
            began = time.monotonic()
            try:
                await self._follow()
                if self._bye:
                    return
                problem = "the stream ended"
            except Exception as error:  # noqa: BLE001 - gRPC's errors, answers that are none, and files being exchanged
                problem = reason(error)
            pause = FIRST_S if time.monotonic() - began > LASTED_S else min(2 * pause, LONGEST_S)
            self.said, self._sent = None, (None, 0)
            self._tell(problem)
            await asyncio.sleep(pause * random.uniform(0.5, 1))

    async def _follow(self) -> None:
        call = self._opened().stream_stream(_path(handshake.FOLLOW))()
        tasks = [asyncio.create_task(each) for each in (self._write(call), self._read(call))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            call.cancel()

    async def _read(self, call: Any) -> None:
        async for data in call:
            every, self.said = self._every, json.loads(data)
            if self._every != every:
                self._due.set()  # the replica counts by the new one from now on
            self._tell("")

    async def _write(self, call: Any) -> None:
        await call.write(self._first)
        while not self._bye:
            report, (sent, number) = self._report, self._sent
            if report != sent and report is not None:
                self._sent = report, number + 1
                await call.write(b'{"report": ' + report + b"}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._due.wait()
                self._due.clear()
                continue
            await call.write(b"{}")
        await call.write(b'{"bye": true}')
        await call.done_writing()
        await call.code()

    @property
    def _every(self) -> float:
        return float(self.said["every"]) if self.said else handshake.EVERY_S

    def _opened(self) -> Any:
        if self._channel is None:
            self._channel = self._open()
        return self._channel

    def _tell(self, problem: str) -> None:
        self.problem = problem
        self._news.set()
        self._news = asyncio.Event()
        self._heard(self)


def reason(error: BaseException) -> str:
    """What went wrong, in the words of whoever says it."""
    details = getattr(error, "details", None)
    return str(details() if callable(details) else error) or type(error).__name__


def _path(method: str) -> str:
    return f"/{handshake.SERVICE}/{method}"
