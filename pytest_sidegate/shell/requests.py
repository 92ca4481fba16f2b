"""Rows -> outcomes: every request of the tables judged by contract and policy, and what was seen on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_sidegate.coverage import Data, seen
from pytest_sidegate.coverage.seen import response_for
from pytest_sidegate.coverage.watched import exchange_of
from pytest_sidegate.failure import Asked, as_text, sections
from pytest_sidegate.verdicts import Verdict, Verdicts
from sidecar.match import match
from xds.contract.shown import ShownOperation
from xds.model import Operation, Place, Version
from xds.policy.unit_tests import Result

from .callers import Callers
from .outcome import Outcome, Suite
from .table import Row, Table


@dataclass(slots=True)
class Requests:
    """Runs tables. `shown` is what each contract shows, by the operation's place; `data` collects what was seen."""

    verdicts: Verdicts
    callers: Callers
    shown: Mapping[Place, ShownOperation]
    files: Mapping[str, bytes]
    data: Data = field(default_factory=Data)

    def outcomes(self, table: Table) -> Iterator[Outcome]:
        """One outcome a row."""
        for row in table.rows:
            begun = time.perf_counter()
            words, detail = self._run(table, row)
            result = Result.FAIL if words else Result.PASS
            took = time.perf_counter() - begun
            yield Outcome(Suite.REQUESTS, table.version, row.title, row.place, result, words, detail, took)

    def _run(self, table: Table, row: Row) -> tuple[str, str]:
        """Why a row fails, in a line and at length; two empty texts if it does not."""
        method, _, path = row.request.partition(" ")
        asked = self._asked(self._operation(table.version, method, path), row, method, path)
        verdict = self.verdicts.judge(asked.method, asked.path, asked.headers, asked.body)
        words = _unlike(row, verdict, self._shown(verdict))
        self._see(row, asked, verdict, f"{row.place.file}:{row.place.line}", bool(words))
        return (words, as_text(sections(asked, verdict, self.files))) if words else ("", "")

    def _asked(self, operation: Operation | None, row: Row, method: str, path: str) -> Asked:
        carried = self.callers.carried(operation, row.claims, row.consumer)
        if carried.query:
            path += ("&" if "?" in path else "?") + carried.query
        return Asked(method, path, (*row.headers, *carried.headers), row.body or b"")

    def _operation(self, version: str, method: str, path: str) -> Operation | None:
        """The operation whose credentials are meant: of the table's version, or of any."""
        versions = [v for s in self.callers.compilation.gateway.services for v in s.versions]
        for each in sorted(versions, key=lambda v: _name(v) != version):
            if found := match(each.operations, method, path.partition("?")[0]).operation:
                return found
        return None

    def _shown(self, verdict: Verdict) -> ShownOperation | None:
        return self.shown.get(verdict.operation.place) if verdict.operation else None

    def _see(self, row: Row, asked: Asked, verdict: Verdict, test: str, failed: bool) -> None:
        shown = self._shown(verdict)
        sent = asked.request
        status = row.expected.status if verdict.allowed and not failed else None
        for media in _answers(shown, status) if status else (None,):
            exchange = exchange_of(verdict, self.callers.schemes, dict(sent.headers), sent.query, status, media)
            if exchange is not None:
                self.data = self.data.merged(Data.of(seen(exchange, shown), test))


def _name(version: Version) -> str:
    return f"{version.service}/{version.name}"


def _unlike(row: Row, verdict: Verdict, shown: ShownOperation | None) -> str:
    """How a verdict differs from what a row expects, nothing if it does not."""
    wanted = row.expected
    got = "it is forwarded" if verdict.allowed else f"it is refused with {verdict.status} {verdict.code}"
    if wanted.status >= 400:
        if verdict.allowed or wanted.status != verdict.status or wanted.code not in (None, verdict.code):
            return f"expected {wanted}; {got}" + (f": {verdict.reason}" if verdict.reason else "")
        return ""
    if not verdict.allowed:
        return f"expected {wanted}; {got}" + (f": {verdict.reason}" if verdict.reason else "")
    if shown is None or response_for(shown, wanted.status) is None:
        name = verdict.operation.name if verdict.operation else "the operation"
        return f"expected {wanted}, which is none of the responses that the contract has for {name}"
    return ""


def _answers(shown: ShownOperation | None, status: int) -> tuple[str | None, ...]:
    """The media types that the contract shows a sound example of for a status: what the service may answer with."""
    response = response_for(shown, status) if shown else None
    contents = response.contents if response else ()
    sound = tuple(c.range for c in contents if c.examples and not any(e.broken for e in c.examples))
    return sound or (None,)
