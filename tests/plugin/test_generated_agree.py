"""Requests generated from Box's and DigitalOcean's contracts, kept and broken: the gateway and the verdicts agree on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sidegate.verdicts import Verdicts
from tests.e2e.gateway import Gateway
from tests.e2e.journal import Journal
from tests.e2e.tokens import Issuer
from tests.e2e.wire import Call, exchange
from tests.generate import corpus
from tests.generate.corpus import BOX, OCEAN, SECRET, Real
from tests.generate.requests import Requests, Sent
from xds.model import Operation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not corpus.CORPUS.is_dir(), reason="the corpus of real contracts is not beside the clone"),
]

EVERY, MOST = 6, 8


def _calls(real: Real, verdicts: Verdicts, issuer: Issuer) -> list[Call]:
    service = next(s for s in verdicts.compilation.gateway.services if s.name == real.service)
    version = service.versions[0]
    requests = Requests(version.schemas)
    good = {"pass": SECRET}
    found: list[tuple[Sent, str | None]] = []
    for operation in version.operations[::EVERY]:
        token = issuer.token(scope=_scopes(operation), **good)
        found += [(requests.valid(operation), token), (requests.valid(operation), None)]
        found += [
            (requests.valid(operation), issuer.token(scope="other", **good)),
            (requests.valid(operation), issuer.token()),
        ]
        found += [(wrong.request, token) for wrong in requests.wrong(operation, MOST)]
    return [_call(number, real, sent, token) for number, (sent, token) in enumerate(found)]


def _scopes(operation: Operation) -> str:
    return " ".join(s for a in operation.security[:1] for c in a.credentials for s in c.scopes)


def _call(number: int, real: Real, sent: Sent, token: str | None) -> Call:
    headers = [("host", real.host), *sent.headers]
    headers += [("authorization", f"Bearer {token}")] if token else []
    headers += [("content-type", sent.type)] if sent.type else []
    return Call(number, sent.method, sent.target, tuple(headers), sent.body)


def test_generated_requests(tmp_path: Path) -> None:
    issuer = Issuer()
    with Journal() as journal:
        folder = corpus.write(tmp_path / "project", journal.url, issuer)
        with Gateway(folder) as gateway, Verdicts.of(folder) as verdicts:
            for real in (BOX, OCEAN):
                calls = _calls(real, verdicts, issuer)
                assert len(calls) > 300
                answers = exchange(gateway.port, calls)
                differ = []
                for call in calls:
                    answer = answers[call.number]
                    verdict = verdicts.judge(call.method, call.target, call.headers, call.body)
                    mine = (verdict.status, verdict.code, [(e["in"], e["pointer"], e["code"]) for e in verdict.errors])
                    told = (
                        answer.status,
                        answer.problem.get("code") if answer.status != 200 else None,
                        answer.errors if answer.status != 200 else [],
                    )
                    if mine != told:
                        differ.append((call.method, call.target, call.body[:100], told, mine))
                assert differ == []
