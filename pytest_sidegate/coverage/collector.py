"""Verdicts of a test session -> Data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_sidegate.verdicts import DEADLINE_S, Verdict
from sidecar.message import Request
from sidecar.validate import Disagreement, Validators
from xds.compile import Compilation
from xds.contract.shown import ShownOperation
from xds.model import Place, Scheme
from xds.policy.engine import EmbeddedEngine, Engine

from .credentials import met
from .data import Asked, Data
from .project import shown_by, versions_of
from .seen import Exchange, seen
from .watched import NotingEngine, exchange_of

if TYPE_CHECKING:
    from pytest_sidegate.client import Exchange as Sent


@dataclass(slots=True)
class Collector:
    """What one process saw. `test` is the name of the test that runs; `shown` is what the contracts show."""

    shown: dict[Place, ShownOperation] = field(default_factory=dict)
    test: str = ""
    hits: dict[str, set[str]] = field(default_factory=dict)
    asked: set[Asked] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

    def saw(self, verdict: Verdict, status: int | None = None, media: str | None = None) -> None:
        """Note a request that was judged; `status` and `media` are of the service's answer, if there was one."""
        self._note(exchange_of(verdict, status, media))

    def exchanged(self, sent: Sent, schemes: Mapping[str, Scheme]) -> None:
        """Note a request that was sent and answered. Where nobody judged it (a service is asked itself), the contract is."""
        status, media = sent.answer.status, sent.answer.header("content-type")
        _, _, query = sent.request.path.partition("?")
        if sent.verdict is not None:
            self.saw(sent.verdict, status, media)
        else:
            self._note(_unjudged(sent, schemes, query or None, status, media))

    def _note(self, exchange: Exchange | None) -> None:
        for key in seen(exchange, self.shown.get(exchange.operation.place)) if exchange is not None else ():
            self.hits.setdefault(key, set()).update((self.test,) if self.test else ())

    def knows(self, compilation: Compilation, files: Mapping[str, bytes]) -> None:
        """Learn what the contracts of a project show; without it no answer is known to be one of theirs."""
        unknown = [v for v in versions_of(compilation.gateway) if v.digest not in self.known]
        if unknown:
            self.known.update(v.digest for v in unknown)
            self.shown |= shown_by(unknown, files)

    def engine(self, opened: Callable[[], Engine] | None = None) -> Callable[[], Engine]:
        """What opens an engine whose questions are noted: the embedded one, unless another is named."""
        made = opened or (lambda: EmbeddedEngine(workers=1, deadline_s=DEADLINE_S))
        return lambda: NotingEngine(made(), self.asked)

    @property
    def data(self) -> Data:
        """Everything so far, the questions to policies included."""
        return Data({key: frozenset(tests) for key, tests in self.hits.items()}, frozenset(self.asked)).merged(Data())


def _unjudged(
    sent: Sent, schemes: Mapping[str, Scheme], query: str | None, status: int, media: str | None
) -> Exchange | None:
    version, operation = sent.version, sent.operation
    if version is None or operation is None:
        return None
    headers = tuple((name.lower(), value) for name, value in sent.request.headers)
    path = sent.request.path.partition("?")[0]
    request = Request(sent.request.method, path, query, headers, sent.request.body)
    try:
        judgement = Validators(version.schemas, version.operations).judge(operation.id, request)
    except Disagreement:
        return None
    # A service that refuses credentials says so, and nobody else knows why.
    known = () if status == 401 else None if status == 403 else met(operation, schemes, dict(headers), query)
    return Exchange(f"{version.service}/{version.name}", operation, request, judgement, known, None, status, media)
