"""Request -> Answer, judged: what the gateway's rules say of the request, and what the contract says of the answer."""

from __future__ import annotations

import http.client
import json as json_
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from pytest_sidegate.project import Staged
from pytest_sidegate.responses import Answered, Finding, Judge, Part
from pytest_sidegate.routing import Chosen, Routes
from pytest_sidegate.target import Refused, target_of
from pytest_sidegate.verdicts import Verdict, Verdicts
from pytest_sidegate.wire import Written
from xds.model import Operation, Place, Version

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
Token = str | Mapping[str, Any] | None

TIMEOUT_S = 60.0
"""For one answer. Long, since a slow machine is no broken contract."""

_BROKEN_OFF = (http.client.HTTPException, ConnectionResetError, BrokenPipeError, TimeoutError)
"""What comes of an answer that is none, or ends before its end."""

PROXY = frozenset(
    (
        "rate-limited",
        "overloaded",
        "limits-unavailable",
        "fault-injected",
        "upgrade-refused",
        "misdirected",
        "length-required",
    )
)
"""Codes of refusals that only a proxy can know of."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it was sent to `base`, what the rules say of it (None: nobody asked them), the answer, and what is wrong."""

    base: str
    request: Written
    verdict: Verdict | None
    answer: Answered
    version: Version | None = None
    operation: Operation | None = None
    findings: tuple[Finding, ...] = ()


class ContractBroken(AssertionError):
    """An exchange broke its contract. `exchange` has all of it."""

    def __init__(self, exchange: Exchange, findings: Iterable[Finding | str] = ()) -> None:
        self.exchange = exchange
        told = [str(each) for each in findings] or [str(each) for each in exchange.findings]
        line = f"{exchange.request.method} {exchange.request.path} -> {exchange.answer.status or 'no answer'}"
        super().__init__("\n".join((line, *(f"  {each}" for each in told))))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that keeps its contract, or the gateway's refusal. `verdict` is what the rules say; `code` is the refusal's."""

    exchange: Exchange

    @property
    def status(self) -> int:
        return self.exchange.answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""
        return dict(self.exchange.answer.headers)

    @property
    def body(self) -> bytes:
        return self.exchange.answer.body

    @property
    def verdict(self) -> Verdict | None:
        return self.exchange.verdict

    @property
    def code(self) -> str | None:
        """The code of a problem document; None where there is none."""
        return code_of(self.exchange.answer)

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json_.loads(self.body)


@dataclass(slots=True)
class Client:
    """Sends requests to `base`, a gateway or a service, and judges what comes of them.

    With `verdicts`, a request that the rules refuse must be refused for that reason, and one that they allow must reach the
    service. Every answer of the service is judged by the contract; one that breaks it raises `ContractBroken`.
    `requests_too`: openapi-core judges requests that are allowed as well. `is_service`: no gateway is in between, so that none
    refuses. `seen` is told of each exchange. `token` names the
    claims (`dev.tokens` of sidegate.yaml) of requests that say nothing of a token.
    """

    base: str
    staged: Staged
    verdicts: Verdicts | None = None
    seen: Callable[[Exchange], None] | None = None
    token: str = ""
    requests_too: bool = True
    is_service: bool = False
    timeout: float = TIMEOUT_S
    _judges: dict[str, Judge] = field(default_factory=dict)
    _routes: Routes | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        body: bytes | str = b"",
        json: Any = None,
        token: Token = None,
        key: str | None = None,
    ) -> Answer:
        """Send a request. `json` is a body with its Content-Type; `token` claims or the name of some, `key` the consumer whose
        key is sent."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        data = body.encode() if isinstance(body, str) else body
        if json is not None:
            pairs.append(("content-type", "application/json"))
            data = json_.dumps(json).encode()
        return self.send(Written(method, path, tuple(pairs), data), token=token, key=key)

    def send(
        self,
        request: Written,
        *,
        token: Token = None,
        key: str | None = None,
        judged_as: tuple[Version, Operation, Written] | None = None,
    ) -> Answer:
        """Send a request that is written already; `judged_as` is whose contract judges the answer, if not the one that its path
        is of, and the request as that one has it."""
        found = self._chosen(request)
        operation = found.operation if found else judged_as[1] if judged_as else None
        sent = self._with_credentials(request, operation, self.claims(token), key)
        answer, broken = self._answered(sent, operation)
        verdict = self.verdicts.judge(sent.method, sent.path, sent.headers, sent.body) if self.verdicts else None
        mine = judged_as or ((found.version, found.operation, request) if found else None)
        version, judged = (mine[0], mine[1]) if mine else (None, None)
        exchange = Exchange(self.base, sent, verdict, answer, version, judged)
        exchange = replace(exchange, findings=broken or tuple(self._findings(exchange, mine)))
        if self.seen is not None and not broken:
            self.seen(exchange)
        if exchange.findings:
            raise ContractBroken(exchange)
        return Answer(exchange)

    def _answered(self, sent: Written, operation: Operation | None) -> tuple[Answered, tuple[Finding, ...]]:
        """The answer, or what a service has done that took the request and gave none. Raises OSError if nobody is there."""
        try:
            return exchanged(self.base, sent, self.timeout), ()
        except _BROKEN_OFF as error:
            if not self.is_service:
                raise
            words = f"there is no whole answer: {type(error).__name__}: {error}"[:300]
            return Answered(0), (Finding(Part.STATUS, words, operation.place if operation else Place("")),)

    def claims(self, token: Token) -> Mapping[str, Any] | None:
        """The claims that a name stands for. Raises `LookupError` for a name that sidegate.yaml does not have."""
        if not isinstance(token, str):
            return token
        if token not in self.staged.tokens:
            known = ", ".join(self.staged.tokens) or "none"
            raise LookupError(f"`dev.tokens` of sidegate.yaml has no '{token}'; there are {known}")
        return self.staged.tokens[token]

    def judge(self, version: Version) -> Judge:
        """The judge of a version's answers, made once."""
        name = f"{version.service}/{version.name}"
        if name not in self._judges:
            self._judges[name] = Judge(version, self.staged.files, self.staged.shown(version))
        return self._judges[name]

    def _chosen(self, request: Written) -> Chosen | None:
        self._routes = self._routes or Routes(self.staged.compilation.gateway)
        headers = {name.lower(): value for name, value in request.headers}
        try:
            target = target_of(request.path, headers.get("host", "localhost"))
        except Refused:
            return None
        found = self._routes.find(target, request.method, headers)
        return found if isinstance(found, Chosen) else None

    def _with_credentials(
        self, request: Written, operation: Operation | None, claims: Mapping[str, Any] | None, key: str | None
    ) -> Written:
        headers, query = self.staged.credentials(operation, claims, key)
        path = f"{request.path}{'&' if '?' in request.path else '?'}{query}" if query else request.path
        return replace(request, path=path, headers=(*request.headers, *headers))

    def _findings(self, exchange: Exchange, mine: tuple[Version, Operation, Written] | None) -> Iterable[Finding]:
        answer, verdict = exchange.answer, exchange.verdict
        place = exchange.operation.place if exchange.operation else Place("")
        code = code_of(answer)
        if verdict is not None and not verdict.allowed and code not in PROXY:
            if answer.status != verdict.status or (code is not None and code != verdict.code):
                told = f"{answer.status} {code}" if code else str(answer.status)
                message = f"the rules refuse it with {verdict.status} {verdict.code}, the answer is {told}"
                return (Finding(Part.STATUS, message, place),)
            return ()
        if is_proxys(answer) and not self.is_service:
            allowed = verdict is not None and verdict.allowed
            message = f"the rules allow it, and the gateway answers {answer.status} {code}"
            return (Finding(Part.STATUS, message, place),) if allowed and code not in PROXY else ()
        if mine is None:
            return ()
        version, operation, request = mine
        judge = self.judge(version)
        wrong = judge.request(operation, request) if self.requests_too and (verdict is None or verdict.allowed) else ()
        return (*wrong, *judge.answer(operation, request, answer))


def code_of(answer: Answered) -> str | None:
    """The code of a problem document of the gateway's form."""
    document = _problem(answer)
    code = document.get("code") if document else None
    return code if isinstance(code, str) else None


def is_proxys(answer: Answered) -> bool:
    """Whether an answer is a refusal of the gateway, and not the service's: only the former has a trace and all members."""
    document = _problem(answer)
    return document is not None and {"code", "traceId", "operationId", "errors"} <= document.keys()


def _problem(answer: Answered) -> Mapping[str, Any] | None:
    if not (answer.header("content-type") or "").startswith("application/problem+json"):
        return None
    try:
        document = json_.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def exchanged(base: str, request: Written, timeout: float) -> Answered:
    """The answer to a request, sent as it is written over a connection of its own. Raises OSError."""
    url = urlsplit(base)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=timeout)
    names = {name.lower() for name, _ in request.headers}
    try:
        connection.putrequest(
            request.method, url.path.rstrip("/") + request.path, skip_host="host" in names, skip_accept_encoding=True
        )
        for name, value in request.headers:
            connection.putheader(name, value.encode("latin-1", "replace"))
        if "content-length" not in names and (request.body or request.method in ("POST", "PUT", "PATCH")):
            connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        headers = tuple((name.lower(), value) for name, value in answer.getheaders())
        return Answered(answer.status, headers, answer.read())
    finally:
        connection.close()
