"""Gateway, upstream, collector and clock -> one case run, and everything that was seen of it."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.blackbox import http1
from tests.blackbox.case import Case, request
from tests.blackbox.http1 import Exchange
from tests.blackbox.parts import Parts
from tests.e2e.collector import Collector
from tests.e2e.gateway import Gateway
from tests.e2e.journal import Entry, Journal
from tests.e2e.processes import Admin, Process
from tests.e2e.tokens import Issuer
from tests.waiting import PATIENCE_S


@dataclass(frozen=True)
class Snapshot:
    """The processes by role at one moment."""

    at: float
    roles: dict[str, Process]

    def pids(self) -> dict[str, int]:
        return {role: p.pid for role, p in self.roles.items()}


@dataclass(frozen=True)
class Seen:
    """One case run: what went over the wire, what the upstream wrote down, and the processes before and after."""

    case: Case
    exchange: Exchange
    entries: list[Entry]
    trace: str
    before: Snapshot
    after: Snapshot
    twin: Exchange | None = None


@dataclass
class World:
    """What a case is run in. `told` collects the cases whose log line and span are looked for at the end."""

    gateway: Gateway | Parts
    journal: Journal
    collector: Collector
    issuer: Issuer
    told: list[Seen] = field(default_factory=list)

    @cached_property
    def tokens(self) -> dict[str, str]:
        return {
            "reader": self.issuer.token(),
            "admin": self.issuer.token(scope="items:admin items:v2"),
            "mallory": self.issuer.token(sub="mallory"),
        }

    @property
    def port(self) -> int:
        return self.gateway.port

    @cached_property
    def admin(self) -> Admin:
        return Admin(self.gateway.roles()["envoy"].pid)

    def fill(self, data: bytes, trace: str = "") -> bytes:
        """Put tokens and the trace id in their places."""
        for name, token in self.tokens.items():
            data = data.replace(f"@{name}@".encode(), token.encode())
        return data.replace(b"@trace@", (trace or secrets.token_hex(16)).encode())

    def ask(self, data: bytes, timeout: float = PATIENCE_S, method: str = "GET") -> Exchange:
        """Send bytes with their tokens on a new connection and read one answer."""
        return http1.ask(self.port, self.fill(data), timeout, methods=(method,))

    def good(self, timeout: float = PATIENCE_S) -> Exchange:
        """The request that always passes."""
        return self.ask(request("/v1/items?limit=10"), timeout)

    def look(self) -> Snapshot:
        return Snapshot(time.monotonic(), self.gateway.roles())

    def run(self, case: Case) -> Seen:
        """Send what the case sends and gather what there is to judge it by. What takes too long is asked again: one pause
        of a busy machine is not the gateway's, five are."""
        for _ in range(5):
            seen = self._seen(case)
            if seen.exchange.seconds <= case.within:
                break
        self.told.append(seen)
        return seen

    def _seen(self, case: Case) -> Seen:
        trace, before, mark = secrets.token_hex(16), self.look(), self.journal.mark()
        if callable(case.send):
            exchange = case.send(self)
        else:
            exchange = http1.ask(self.port, self.fill(case.send, trace), methods=(case.method,))
        self.settle(exchange, mark)
        entries = self.journal.since(mark)
        twin = self.ask(case.same_as) if case.same_as else None
        return Seen(case, exchange, entries, trace, before, self.look(), twin)

    def settle(self, exchange: Exchange, mark: int) -> None:
        """A request that was answered with an error may still be on its way to the upstream: give it a moment."""
        if not exchange.answers:
            time.sleep(0.03)

    def failures(self) -> dict[str, int]:
        """Envoy's counters of requests that were let through because a check failed."""
        return self.admin.stats("failure_mode_allowed")

    def log(self) -> list[dict[str, Any]]:
        """JSON lines that the gateway wrote: access log and decisions."""
        lines = []
        for text in (self.gateway.output, *self._files()):
            lines += [value for line in text.splitlines() if (value := _object(line)) is not None]
        return lines

    def _files(self) -> list[str]:
        folder = self.gateway.folder / ".sidegate"
        return [p.read_text(errors="replace") for p in folder.rglob("*.log")] if folder.is_dir() else []


def _object(line: str) -> dict[str, Any] | None:
    start = line.find("{")
    if start < 0:
        return None
    try:
        value = json.loads(line[start:])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
