"""An AdsServer in a thread of its own, for tests that block."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.waiting import PATIENCE_S
from xds.ads.events import Event
from xds.ads.messages import Node
from xds.ads.server import AdsServer
from xds.snapshot import Snapshot

T = TypeVar("T")


class Serving:
    """A running server: its address, its events so far, and its methods called in its own loop."""

    def __init__(self, server: AdsServer, loop: asyncio.AbstractEventLoop, events: list[Event]) -> None:
        self.server, self.events, self._loop = server, events, loop
        self.address = ""

    def do(self, call: Callable[[], T | Awaitable[T]], timeout: float = 30) -> Any:
        async def run() -> Any:
            result = call()
            return await result if asyncio.iscoroutine(result) else result

        future: Future[Any] = asyncio.run_coroutine_threadsafe(run(), self._loop)
        return future.result(timeout)

    def publish(self, snapshot: Snapshot, group: str = "edge") -> None:
        self.do(lambda: self.server.publish(group, snapshot))

    def live(self, timeout: float = 10, group: str = "edge") -> tuple[str, ...]:
        return self.do(lambda: self.server.live(group, timeout), timeout + 10)

    def clients(self) -> Any:
        return self.do(self.server.clients)

    def wait(self, condition: Callable[[], T], timeout: float = PATIENCE_S) -> T:
        """Waits until the condition is true; its value."""
        end = time.monotonic() + timeout
        while not (value := condition()) and time.monotonic() < end:
            time.sleep(0.01)
        assert value, f"not in {timeout} s; events: {self.events[-5:]}"
        return value

    def of(self, kind: type[T]) -> list[T]:
        return [e for e in self.events if isinstance(e, kind)]


@contextmanager
def serving(
    group_of: Callable[[Node], str] = lambda node: node.cluster, address: str = "127.0.0.1:0", **options: Any
) -> Iterator[Serving]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    events: list[Event] = []
    serving = Serving(asyncio.run_coroutine_threadsafe(_make(group_of, events, options), loop).result(), loop, events)
    try:
        serving.address = serving.do(lambda: serving.server.start(address))
        yield serving
    finally:
        serving.do(lambda: serving.server.stop(0.1))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _make(group_of: Callable[[Node], str], events: list[Event], options: dict[str, Any]) -> AdsServer:
    return AdsServer(group_of, events.append, **options)
