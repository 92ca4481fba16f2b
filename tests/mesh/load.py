"""Clients through the edge that know the right answer to each request."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.roles.running import until
from tests.waiting import PATIENCE_S

ALLOWED = ("/catalog/v1/items?limit=2", "/orders/v1/orders", "/catalog/v1/me")
REFUSED = (
    ("/catalog/v1/items?limit=1000", 400, True),
    ("/catalog/v1/me", 401, False),
    ("/catalog/v1/internal/treasure", 404, True),
    ("/orders/v1/orders?colour=red", 400, True),
)


@dataclass
class Load:
    """Clients through the edge; `right` counts answers as they should be, `wrong` every other one by what it was.

    `served` counts by target what was allowed and answered 200: each of those has to have reached its app.
    """

    port: int
    token: str
    served: Counter[str] = field(default_factory=Counter)
    right: int = 0
    wrong: Counter[tuple[str, object]] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int = 100) -> None:
        """Wait until so many more requests were answered rightly."""
        aim = self.right + count
        until(lambda: self.right >= aim, lambda: (self.right, self.wrong))

    def _client(self, number: int) -> None:
        mix = [*((target, 200, True) for target in ALLOWED), *REFUSED]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        for target, status_, known in itertools.islice(itertools.cycle(mix), number, None):
            if self._stop.wait(0.005):
                break
            answer = self._ask(connection, target, known)
            with self._lock:
                self.right += answer == status_
                self.served[target] += answer == 200
                if answer != status_:
                    self.wrong[target, answer] += 1
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, target: str, known: bool) -> int | str:
        try:
            connection.request("GET", target, headers={"Authorization": f"Bearer {self.token}"} if known else {})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__
        return response.status
