"""Clients in the background that know the right answer to each of their requests, and count every other one."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.blackbox.world import World
from tests.waiting import PATIENCE_S


@dataclass(frozen=True)
class Ask:
    """One request of the load and its answer."""

    target: str
    status: int
    token: str = "reader"
    method: str = "GET"
    body: str | None = None


ITEM = '{"name": "Lamp", "price": 1}'
MIX = (
    Ask("/v1/items?limit=10", 200),
    Ask("/v1/items?limit=1000", 400),
    Ask("/v1/me", 403, "mallory"),
    Ask("/v1/me", 401, ""),
    Ask("/v1/internal/treasure", 404),
    Ask("/v1/items", 200, method="POST", body=ITEM),
    Ask("/v1/items", 400, method="POST", body=ITEM.replace("1", "-1")),
    Ask("/v1/public/load", 200, ""),
)
"""An allowed, a refused and a denied request of each kind."""


@dataclass
class Load:
    """`clients` threads, each on one keep-alive connection, `rate` requests a second in all.

    `right` counts answers as expected; `wrong` are (target, status) or the name of an error; `slowest` is in seconds.
    """

    world: World
    clients: int = 4
    rate: float = 200.0
    mix: tuple[Ask, ...] = MIX
    right: int = 0
    wrong: Counter[Any] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Load:
        self._mark = self.world.journal.mark()
        self._threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def slowest(self) -> float:
        return max(self.times, default=0.0)

    def percentile(self, share: float) -> float:
        """The latency below which that share of the requests stayed."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def unexpected_upstream(self, *also: str) -> list[str]:
        """The journal's side: requests that reached the upstream and should not have; `also` are targets asked beside."""
        allowed = {a.target for a in self.mix if a.status == 200} | set(also)
        entries = self.world.journal.since(self._mark)
        bodies = [e.line for e in entries if e.method == "POST" and e.body and b"-1" in e.body]
        return [e.line for e in entries if e.target not in allowed] + bodies

    def _client(self, number: int) -> None:
        pause = self.clients / self.rate
        connection = http.client.HTTPConnection("127.0.0.1", self.world.port, timeout=PATIENCE_S)
        for ask in itertools.islice(itertools.cycle(self.mix), number, None):
            if self._stop.is_set():
                break
            began = time.monotonic()
            answer = self._answer(connection, ask)
            with self._lock:
                self.times.append(time.monotonic() - began)
                self.right += answer == ask.status
                if answer != ask.status:
                    self.wrong[ask.target, answer] += 1
            self._stop.wait(max(0.0, pause - (time.monotonic() - began)))
        connection.close()

    def _answer(self, connection: http.client.HTTPConnection, ask: Ask) -> int | str:
        headers = {"Authorization": f"Bearer {self.world.tokens[ask.token]}"} if ask.token else {}
        headers |= {"Content-Type": "application/json"} if ask.body else {}
        try:
            connection.request(ask.method, ask.target, ask.body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__
        return response.status
