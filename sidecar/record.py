"""What was decided and why: one Record a request, kept in a bounded store."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from sidecar.message import Violation
from xds.policy.decision import Decision
from xds.telemetry import Counts


@dataclass(frozen=True, slots=True)
class Record:
    """A request's way through the companion.

    `status` and `code` are those of the refusal (200 and None when it passed); in `report` mode `status` is 200 and
    `code` is what it would have been refused for. `path` is without its query; of the rest of a request no value is kept.
    """

    number: int
    time: float
    trace_id: str | None
    service: str
    version: str
    operation: str
    digest: str
    revision: str | None
    method: str
    path: str
    mode: str
    status: int
    code: str | None
    reason: str | None
    violations: tuple[Violation, ...] = ()
    decision: Decision | None = None

    def document(self) -> dict[str, Any]:
        """The record as JSON: decision and violations inside, of the headers that a policy set only the names."""
        document = asdict(self)
        if decision := document["decision"]:
            for name in ("headers", "response_headers"):
                decision[name] = sorted(decision[name])
            del decision["body"], decision["result"]
        return document


class Records:
    """The last `size` records, by number and by trace id, and the count of all. One event loop owns it."""

    def __init__(self, size: int = 4096, counts: Counts | None = None) -> None:
        self.counts = counts or Counts("", "", {})
        self._kept: deque[Record] = deque(maxlen=size)
        self._refused: deque[Record] = deque(maxlen=size)
        self._by_trace: dict[str, Record] = {}
        self._count = time.time_ns() // 1000  # rises over restarts too, so that whoever follows is told nothing twice
        self._news: asyncio.Event | None = None
        self._closed = False

    def next_number(self) -> int:
        self._count += 1
        return self._count

    def add(self, record: Record) -> None:
        self.counts.add(
            ("service", record.service),
            ("version", record.version),
            ("operation", record.operation),
            ("mode", record.mode),
            ("code", record.code or ""),
        )
        if len(self._kept) == self._kept.maxlen:
            gone = self._kept[0]
            if gone.trace_id and self._by_trace.get(gone.trace_id) is gone:
                del self._by_trace[gone.trace_id]
        self._kept.append(record)
        if record.trace_id:
            self._by_trace[record.trace_id] = record
        if record.code is not None:
            self._refused.append(record)
            self._wake()

    def close(self) -> None:
        """Nobody waits for a refusal any more, and nobody begins to."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    def of_trace(self, trace_id: str) -> Record | None:
        return self._by_trace.get(trace_id)

    def latest(self, count: int) -> list[Record]:
        """The newest records, newest first."""
        return list(reversed(self._kept))[:count]

    async def refusals_after(self, number: int, wait: float) -> list[Record]:
        """The refusals with a higher number, oldest first; waits up to `wait` seconds for one."""
        found = [r for r in self._refused if r.number > number]
        if found or wait <= 0 or self._closed:
            return found
        self._news = self._news or asyncio.Event()
        try:
            await asyncio.wait_for(self._news.wait(), wait)
        except TimeoutError:
            return []
        return [r for r in self._refused if r.number > number]
