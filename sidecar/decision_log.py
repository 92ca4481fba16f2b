"""Decision -> event in the schema of OPA's decision log, masked, and told outside of the request that it is about.

https://www.openpolicyagent.org/docs/management-decision-logs. A request only leaves what an event is made of in a queue of
bounded length: whatever is slow or away costs events, which are counted, and never a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sidecar.log_sinks import Collector, Console, File
from sidecar.masking import RULE, Event, Mask, by_policy, masked
from xds import __version__
from xds.policy.decision import ABSENT, CONFLICT, ERROR, TIMEOUT, UNAVAILABLE, UNBOUND, Decision
from xds.policy.engine import Engine
from xds.settings.decision_log import DecisionLog as Settings

log = logging.getLogger("sidegate.companion")

WAITING = 4096
"""How many decisions wait to be told."""
AT_ONCE = 256
CLOSING_S = 3.0

ERRORS = {
    CONFLICT: "eval_conflict_error",
    ERROR: "eval_builtin_error",
    TIMEOUT: "eval_cancel_error",
    UNAVAILABLE: "internal_error",
    UNBOUND: "undefined_document",
}
"""OPA's code for a decision that is none, by ours."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One decision as it was made. `document` builds the whole input; times are in nanoseconds."""

    service: str
    path: str
    document: Callable[[], Mapping[str, Any]]
    decision: Decision
    traceparent: str | None
    requested_by: str | None
    time: int
    evaluated: int


class Sink(Protocol):
    """Where events go, each as one line of JSON."""

    async def write(self, lines: list[bytes]) -> int:
        """Take events. Returns how many are lost."""
        ...

    async def close(self) -> None: ...


class DecisionLog:
    """The log of one companion. `mask` is replaced when contracts change."""

    def __init__(
        self, engine: Callable[[], Engine], sinks: list[Sink], labels: Mapping[str, str], allowed: bool = True
    ) -> None:
        self.mask = Mask()
        self.masking: frozenset[str] = frozenset()
        self.dropped = 0
        self._engine, self._sinks, self._allowed = engine, sinks, allowed
        self._labels = {**labels, "id": str(uuid.uuid4()), "version": __version__}
        self._waiting: asyncio.Queue[Asked] = asyncio.Queue(WAITING)
        self._told = 0
        self._task = asyncio.create_task(self._run())

    def add(self, asked: Asked) -> None:
        """Tell of a decision, later. Never waits."""
        if asked.decision.allowed and not self._allowed:
            return
        try:
            self._waiting.put_nowait(asked)
        except asyncio.QueueFull:
            self.dropped += 1

    async def close(self) -> None:
        """Tell what is left, for a few seconds at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), CLOSING_S)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for sink in self._sinks:
            await sink.close()
        self._say()

    async def _run(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                lines = [line for asked in batch if (line := await self._line(asked))]
                for sink in self._sinks:
                    self.dropped += await sink.write(lines)
            except Exception:
                log.exception("the decision log failed")
                self.dropped += len(batch)
            for _ in batch:
                self._waiting.task_done()
            self._say()

    def _say(self) -> None:
        if self.dropped > self._told:
            log.warning("the decision log lost %d events, %d in all", self.dropped - self._told, self.dropped)
            self._told = self.dropped

    async def _line(self, asked: Asked) -> bytes | None:
        """One event as a line of JSON; None, and counted, if it cannot be written."""
        await asyncio.sleep(0)  # requests come first
        try:
            event = await self._masked(event_of(asked, self._labels), asked.service)
            return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
                "utf-8", "backslashreplace"
            )
        except (ValueError, TypeError, RecursionError):
            self.dropped += 1
            return None

    async def _masked(self, event: Event, service: str) -> Event:
        event = masked(event, self.mask)
        if service not in self.masking:
            return event
        try:
            rules = await self._engine().value(service, RULE, event)
            return event if rules is ABSENT else by_policy(event, rules)
        except ValueError as why:
            log.warning("data.system.log.mask failed, so the event goes without input and result: %s", why)
            bare = {key: value for key, value in event.items() if key not in ("input", "result")}
            return {**bare, "erased": ["/input", "/result"]}


def opened(settings: Settings, root: Path, engine: Callable[[], Engine], mask: Mask) -> DecisionLog:
    """The log that the settings ask for; a file is relative to `root`."""
    sinks: list[Sink] = [Console()] if settings.console else []
    if settings.file:
        sinks.append(File(root / settings.file, settings.size, settings.keep))
    if settings.url:
        secret = root / settings.authorization if settings.authorization else None
        sinks.append(Collector(settings.url, settings.interval, secret))
    made = DecisionLog(engine, sinks, dict(settings.labels), settings.allowed)
    made.mask = mask
    return made


def event_of(asked: Asked, labels: Mapping[str, str]) -> Event:
    """The event, not masked yet. Members that OPA leaves out where they say nothing are left out."""
    decision = asked.decision
    _, trace, span, *_ = [*(asked.traceparent or "").split("-"), "", "", ""]
    seconds, nanoseconds = divmod(asked.time, 1_000_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    event: Event = {
        "labels": dict(labels),
        "decision_id": str(uuid.uuid4()),
        "trace_id": trace,
        "span_id": span,
        "bundles": {asked.service: {"revision": decision.revision}} if decision.revision else {},
        "path": asked.path,
        "input": dict(asked.document()),
        "result": decision.result,
        "requested_by": asked.requested_by or "",
        "timestamp": f"{stamp}.{nanoseconds:09d}Z",
        "metrics": {"timer_rego_query_eval_ns": asked.evaluated},
    }
    if code := ERRORS.get(decision.code or ""):
        event["error"] = {"code": code, "message": decision.reason or decision.code}
    always = ("labels", "decision_id", "input", "timestamp", "metrics")
    return {k: v for k, v in event.items() if k in always or (v is not ABSENT and v not in ("", {}))}
