"""Rows -> outcomes: every request of the tables judged by contract and policy, and what was seen on the way."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_sidegate.cases import cases
from pytest_sidegate.coverage.data import Data
from pytest_sidegate.coverage.project import versions_of
from pytest_sidegate.coverage.seen import seen
from pytest_sidegate.coverage.watched import exchange_of
from pytest_sidegate.failure.sections import Asked, as_text, sections
from pytest_sidegate.project import Staged
from pytest_sidegate.responses import response_for
from pytest_sidegate.verdicts import Verdict, Verdicts
from pytest_sidegate.wire import Written
from sidecar.match import match
from xds.contract.shown import ShownOperation
from xds.diagnostics import did_you_mean
from xds.model import Operation, Place, Version
from xds.policy.unit_tests import Result

from .outcome import Outcome, Suite
from .table import Row, Table


@dataclass(slots=True)
class Requests:
    """Runs tables. `staged` has tokens and keys for whoever asks, `shown` is what each contract shows, by the operation's
    place; `data` collects what was seen."""

    verdicts: Verdicts
    staged: Staged
    shown: Mapping[Place, ShownOperation]
    files: Mapping[str, bytes]
    data: Data = field(default_factory=Data)

    def outcomes(self, table: Table) -> Iterator[Outcome]:
        """One outcome a request: a row is one, or of an operation all that its examples make."""
        for row in table.rows:
            if row.operation:
                yield from self._examples(table, row)
            else:
                method, _, path = row.request.partition(" ")
                operation = self._operation(table.version, method, path)
                request = Written(method, path, row.headers, row.body or b"")
                yield self._outcome(table, row, row.title, operation, request)

    def _examples(self, table: Table, row: Row) -> Iterator[Outcome]:
        versions = versions_of(self.staged.compilation.gateway)
        version = next((v for v in versions if _name(v) == table.version), None)
        operation = next((o for o in version.operations if o.id == row.operation), None) if version else None
        shown = self.shown.get(operation.place) if operation else None
        if version is None or operation is None or shown is None:
            words = f"{table.version} has no operation {row.operation}" + _nearest(
                row.operation, (o.id for o in version.operations) if version else ()
            )
            yield Outcome(Suite.REQUESTS, table.version, row.title, row.place, Result.ERROR, words)
            return
        named = [each for each in cases(version, {operation.place: shown}) if each.operation is operation]
        found = [each for each in named if not row.example or each.name == row.example]
        for each in found:
            title = row.title if len(found) == 1 else f"{row.title} {each.name}"
            own = {name.lower() for name, _ in row.headers}
            headers = (*(pair for pair in each.request.headers if pair[0].lower() not in own), *row.headers)
            request = Written(each.request.method, each.request.path, headers, each.request.body)
            yield self._outcome(table, row, title, operation, request)
        if not found:
            called = f" called {row.example}" + _nearest(row.example, {each.name for each in named})
            words = f"no examples of {row.operation} make a request" + (called if row.example else "")
            yield Outcome(Suite.REQUESTS, table.version, row.title, row.place, Result.ERROR, words)

    def _outcome(self, table: Table, row: Row, title: str, operation: Operation | None, request: Written) -> Outcome:
        begun = time.perf_counter()
        asked = self._asked(operation, row, request)
        verdict = self.verdicts.judge(asked.method, asked.path, asked.headers, asked.body)
        words = _elsewhere(table, verdict) or _unlike(row, verdict, self._shown(verdict))
        self._see(row, verdict, f"{row.place.file}:{row.place.line}", bool(words))
        detail = as_text(sections(asked, verdict, self.files)) if words else ""
        result, took = Result.FAIL if words else Result.PASS, time.perf_counter() - begun
        return Outcome(Suite.REQUESTS, table.version, title, row.place, result, words, detail, took)

    def _asked(self, operation: Operation | None, row: Row, request: Written) -> Asked:
        headers, query = self.staged.credentials(operation, row.claims, row.consumer)
        path = request.path + (("&" if "?" in request.path else "?") + query if query else "")
        return Asked(request.method, path, (*request.headers, *headers), request.body)

    def _operation(self, version: str, method: str, path: str) -> Operation | None:
        """The operation whose credentials are meant: of the table's version, or of any."""
        versions = versions_of(self.staged.compilation.gateway)
        for each in sorted(versions, key=lambda v: _name(v) != version):
            if found := match(each.operations, method, path.partition("?")[0]).operation:
                return found
        return None

    def _shown(self, verdict: Verdict) -> ShownOperation | None:
        return self.shown.get(verdict.operation.place) if verdict.operation else None

    def _see(self, row: Row, verdict: Verdict, test: str, failed: bool) -> None:
        shown = self._shown(verdict)
        status = row.expected.status if verdict.allowed and not failed else None
        for media in _answers(shown, status) if status else (None,):
            exchange = exchange_of(verdict, status, media)
            if exchange is not None:
                self.data = self.data.merged(Data.of(seen(exchange, shown), test))


def _nearest(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"; {hint}" if hint else ""


def _name(version: Version) -> str:
    return f"{version.service}/{version.name}"


def _elsewhere(table: Table, verdict: Verdict) -> str:
    """That a request is one of another version than the table's, nothing if it is not."""
    other = _name(verdict.version) if verdict.version else table.version
    return f"it is a request of {other}, and belongs beside that" if other != table.version else ""


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
