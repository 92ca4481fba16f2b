"""Verdicts of a test session -> Data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_sidegate.verdicts import DEADLINE_S, Headers, Verdict, Verdicts
from xds.compile import Compilation
from xds.contract.shown import ShownOperation
from xds.model import Place, Scheme
from xds.policy.engine import EmbeddedEngine, Engine

from .data import Asked, Data
from .project import shown_by, versions_of
from .seen import seen
from .watched import NotingEngine, exchange_of


@dataclass(slots=True)
class Collector:
    """What one process saw. `test` is the name of the test that runs; `shown` is what the contracts show."""

    shown: dict[Place, ShownOperation] = field(default_factory=dict)
    test: str = ""
    hits: dict[str, set[str]] = field(default_factory=dict)
    asked: set[Asked] = field(default_factory=set)

    def saw(
        self,
        verdict: Verdict,
        schemes: Mapping[str, Scheme],
        headers: Iterable[tuple[str, str]],
        query: str | None,
        status: int | None = None,
        media: str | None = None,
    ) -> None:
        """Note a request that was judged; see `exchange_of` for what the arguments are."""
        named = {name.lower(): value for name, value in headers}
        exchange = exchange_of(verdict, schemes, named, query, status, media)
        if exchange is not None:
            for key in seen(exchange, self.shown.get(exchange.operation.place)):
                self.hits.setdefault(key, set()).update((self.test,) if self.test else ())

    def knows(self, compilation: Compilation, files: Mapping[str, bytes]) -> None:
        """Learn what the contracts of a project show; without it no answer is known to be one of theirs."""
        self.shown |= shown_by(versions_of(compilation.gateway), files)

    def engine(self) -> Engine:
        """An embedded engine whose questions are noted."""
        return NotingEngine(EmbeddedEngine(workers=1, deadline_s=DEADLINE_S), self.asked)

    @property
    def data(self) -> Data:
        """Everything so far, the questions to policies included."""
        return Data({key: frozenset(tests) for key, tests in self.hits.items()}, frozenset(self.asked)).merged(Data())


class WatchedVerdicts(Verdicts):
    """Verdicts that a collector is told of. The answers of services are told with `answered`."""

    def __init__(self, compilation: Compilation, collector: Collector, files: Mapping[str, bytes]) -> None:
        self.collector = collector
        collector.knows(compilation, files)
        super().__init__(compilation, engine=collector.engine, files=files)

    def judge(
        self,
        method: str,
        url: str,
        headers: Headers = (),
        body: bytes | str = b"",
        *,
        address: str = "127.0.0.1",
    ) -> Verdict:
        """As `Verdicts.judge`."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        verdict = super().judge(method, url, pairs, body, address=address)
        self.answered(verdict, url, pairs)
        return verdict

    def answered(
        self,
        verdict: Verdict,
        url: str,
        headers: Iterable[tuple[str, str]],
        status: int | None = None,
        media: str | None = None,
    ) -> None:
        """Note what a service answered to a request that was forwarded: its status and its Content-Type."""
        query = url.partition("?")[2].partition("#")[0] or None
        schemes = {scheme.name: scheme for scheme in self.compilation.gateway.schemes}
        self.collector.saw(verdict, schemes, headers, query, status, media)
