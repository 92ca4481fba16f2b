"""Box's and DigitalOcean's contracts, enforced by a running gateway: what keeps to them arrives as it was sent, once; what
breaks them in one place is refused for that, and never arrives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.journal import Journal
from tests.e2e.tokens import Issuer
from tests.e2e.wire import MARK, Answer, Call, exchange
from tests.generate import corpus
from tests.generate.corpus import REAL, SECRET, Real
from tests.generate.requests import Requests, Sent
from xds.model import Name, Operation, Version
from xds.project.project import Project

pytestmark = pytest.mark.skipif(
    not corpus.CORPUS.is_dir(), reason="the corpus of real contracts is not beside the clone"
)

EVERY = 6
"""By default one operation in this many is met with broken requests; the slow sweep meets all of them."""


@dataclass
class World:
    """The running gateway, its upstream's journal, and the versions as they were compiled here."""

    gateway: Gateway
    journal: Journal
    issuer: Issuer
    versions: dict[str, Version]

    def __post_init__(self) -> None:
        self._tokens: dict[tuple[str, ...], str] = {}
        self._last = 0

    def requests(self, real: Real, seed: int = 1) -> Requests:
        return Requests(self.versions[real.service].schemas, seed)

    def operations(self, real: Real, every: int = 1) -> list[Operation]:
        return list(self.versions[real.service].operations[::every])

    def token(self, operation: Operation, **claims: Any) -> str:
        """A token with the scopes of the operation's first alternative and the claim that the policies ask for."""
        scopes = [s for a in operation.security[:1] for c in a.credentials for s in c.scopes]
        key = (*scopes, *(f"{n}={v}" for n, v in claims.items()))
        if key not in self._tokens:
            self._tokens[key] = self.issuer.token(**{"scope": " ".join(scopes), "pass": SECRET, **claims})
        return self._tokens[key]

    def call(self, real: Real, sent: Sent, token: str | None) -> Call:
        """A request of the generator as it is written on the wire."""
        headers = [("host", real.host), *sent.headers]
        headers += [("authorization", f"Bearer {token}")] if token else []
        headers += [("content-type", sent.type)] if sent.type else []
        self._last += 1
        return Call(self._last, sent.method, sent.target, tuple(headers), sent.body)

    def ask(self, calls: list[Call]) -> tuple[dict[int, Answer], dict[int, list[Any]]]:
        """The answers by number, and what of it reached the upstream."""
        mark = self.journal.mark()
        answers = exchange(self.gateway.port, calls)
        arrived: dict[int, list[Any]] = {}
        for entry in self.journal.since(mark):
            arrived.setdefault(int(entry.header(MARK) or 0), []).append(entry)
        return answers, arrived


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    issuer = Issuer()
    with Journal() as journal:
        folder = corpus.write(tmp_path_factory.mktemp("real") / "project", journal.url, issuer)
        compilation = Project(folder, folder.parent / "state").compile()
        assert not compilation.refused, [d for d in compilation.diagnostics if d.is_error]
        versions = {s.name: s.versions[0] for s in compilation.gateway.services}
        with Gateway(folder) as gateway:
            yield World(gateway, journal, issuer, versions)


def guarded(operation: Operation) -> bool:
    """Whether an operation asks for a token: only then is there a claim, and the policies want one."""
    return bool(operation.security)


EACH = [pytest.param(real, id=real.service) for real in REAL]


def judge_valid(world: World, real: Real, seed: int) -> None:
    """Ask every operation once: each request must arrive once, as it was sent."""
    requests = world.requests(real, seed)
    calls = {}
    for operation in filter(guarded, world.operations(real)):
        call = world.call(real, requests.valid(operation), world.token(operation))
        calls[call.number] = (operation, call)
    answers, arrived = world.ask([call for _, call in calls.values()])
    refused = {
        f"{operation.id}: {call.method} {call.target} {call.body[:200]!r}": (a.status, a.problem.get("code"), a.errors)
        for number, (operation, call) in calls.items()
        if (a := answers[number]).status != 200
    }
    assert refused == {}
    assert set(arrived) == set(calls)
    for number, (operation, call) in calls.items():
        assert [(e.method, e.target, e.body) for e in arrived[number]] == [(call.method, call.target, call.body)], (
            operation.id
        )
        sent = {n: v for n, v in call.headers if n not in ("authorization",)}
        assert {n: arrived[number][0].header(n) for n in sent} == sent


@pytest.mark.parametrize("real", EACH)
def test_valid_requests_arrive_as_they_were_sent(world: World, real: Real) -> None:
    judge_valid(world, real, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("real", EACH)
def test_more_valid_requests_arrive(world: World, real: Real, seed: int) -> None:
    judge_valid(world, real, seed)


@pytest.mark.parametrize("real", EACH)
def test_operations_without_a_token_have_no_claim_to_show(world: World, real: Real) -> None:
    """`security: []`: nothing is verified, so the policy that wants a claim denies it, whatever token is sent."""
    requests = world.requests(real)
    calls = [world.call(real, requests.valid(o), world.token(o)) for o in world.operations(real) if not guarded(o)]
    assert calls
    answers, arrived = world.ask(calls)
    assert {(a.status, a.problem["code"]) for a in answers.values()} == {(403, "policy-denied")}
    assert arrived == {}


def judge_broken(world: World, real: Real, every: int, most: int) -> int:
    """Ask the broken requests of every so many operations; how many there were."""
    requests = world.requests(real)
    cases = {}
    for operation in filter(guarded, world.operations(real, every)):
        for wrong in requests.wrong(operation, most):
            call = world.call(real, wrong.request, world.token(operation))
            cases[call.number] = (operation, wrong, call)
    answers, arrived = world.ask([call for _, _, call in cases.values()])
    misjudged = {}
    for number, (operation, wrong, call) in cases.items():
        answer = answers[number]
        told = [e for e in answer.errors if e[0] == wrong.where and e[2] in wrong.codes]
        if answer.status != wrong.status or not any(wrong.pointer.startswith(e[1]) for e in told):
            key = f"{operation.id}: {wrong.kind} at {wrong.where} {wrong.pointer}: {call.method} {call.target}"
            misjudged[key] = (call.body[:300], answer.status, answer.errors)
        elif answer.problem["operationId"] != operation.id:
            misjudged[operation.id] = answer.problem["operationId"]
    assert misjudged == {}
    assert arrived == {}
    return len(cases)


@pytest.mark.parametrize("real", EACH)
def test_broken_requests_are_refused(world: World, real: Real) -> None:
    assert judge_broken(world, real, EVERY, most=6) > 100


@pytest.mark.slow
@pytest.mark.parametrize("real", EACH)
def test_every_broken_request_is_refused(world: World, real: Real) -> None:
    assert judge_broken(world, real, 1, most=99) > 1000


@pytest.mark.parametrize("real", EACH)
def test_tokens_decide(world: World, real: Real) -> None:
    """No token, a stranger's, one without the claim, and one without the scope."""
    requests, stranger = world.requests(real), Issuer()
    cases: dict[int, tuple[str, int, str]] = {}
    calls = []
    for operation in filter(guarded, world.operations(real, EVERY)):
        sent = requests.valid(operation)
        tokens: list[tuple[str | None, int, str]] = [
            (None, 401, "token-missing"),
            (stranger.token("ES256", **{"pass": SECRET}), 401, "token-invalid"),
            (world.token(operation, **{"pass": None}), 403, "policy-denied"),
        ]
        if any(c.scopes for a in operation.security for c in a.credentials):
            tokens.append((world.token(operation, scope="other:read"), 403, "insufficient-scope"))
        for token, status, code in tokens:
            calls.append(world.call(real, sent, token))
            cases[calls[-1].number] = (operation.id, status, code)
    answers, arrived = world.ask(calls)
    told = {n: (cases[n][0], a.status, a.problem.get("code")) for n, a in answers.items()}
    assert {n: (told[n], cases[n]) for n in cases if told[n] != cases[n]} == {}
    assert arrived == {}


@pytest.mark.parametrize("real", EACH)
def test_other_methods_and_paths(world: World, real: Real) -> None:
    """405 with the methods that the path has, by our own list; 404 below a path that has none."""
    requests, operations = world.requests(real), world.operations(real)
    cases = {}
    for operation in world.operations(real, EVERY):
        sent = requests.valid(operation)
        has = {o.method for o in operations if o.path == operation.path}
        near = {o.method for o in operations if _meets(o, sent.path)}
        other = next(m for m in ("PATCH", "PUT", "DELETE", "POST", "GET", "OPTIONS") if m not in near)
        call = world.call(real, Sent(operation, other, sent.path, None, (), None, b""), world.token(operation))
        cases[call.number] = (call, 405, has)
        lost = world.call(
            real, Sent(operation, "GET", f"/nowhere{sent.path}", None, (), None, b""), world.token(operation)
        )
        cases[lost.number] = (lost, 404, set())
    answers, arrived = world.ask([call for call, _, _ in cases.values()])
    told = {n: (a.status, set(a.headers.get("allow", "").split(", ")) - {""}) for n, a in answers.items()}
    assert {c.target: (c.method, told[n], (s, has)) for n, (c, s, has) in cases.items() if told[n] != (s, has)} == {}
    assert arrived == {}


def _meets(operation: Operation, path: str) -> bool:
    """Whether a path's segments could be the operation's, variables taken as anything."""
    texts, segments = path[1:].split("/"), operation.path.segments
    return len(texts) == len(segments) and all(
        any(isinstance(p, Name) for p in s.parts) or s.literal == t for s, t in zip(segments, texts, strict=True)
    )
