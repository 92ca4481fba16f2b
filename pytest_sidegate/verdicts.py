"""Compilation, request -> Verdict: what the whole gateway would answer, in this process and in milliseconds.

    with Verdicts.of(Path()) as verdicts:
        assert verdicts.judge("GET", "/catalog/v1/items?limit=1000").code == "token-missing"

What a companion does is done by the companion's own code; host, path, method and credentials, which are the proxy's, are
judged here by the same model. Not judged is what only a proxy has: rate limits, the cache, CORS preflights, TLS and client
certificates, injected faults, upgrades, redirects, framing, and whatever depends on the service's answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_sidegate.asked import Asked, asked_of
from pytest_sidegate.credentials import Credentials
from pytest_sidegate.frame import Sent, sent_of
from pytest_sidegate.loop import Loop
from pytest_sidegate.refusals import UNFIT, gone, refusal, unknown_version, unrouted
from pytest_sidegate.routing import Routes, Unrouted
from pytest_sidegate.sound import sound
from pytest_sidegate.target import Refused
from pytest_sidegate.tokens import Failure, Found, Tokens, required
from sidecar.message import Judgement, Params, Request, Response
from sidecar.pipeline import Caller, Outcome, Route, judge
from sidecar.plan import Plan, next_plan
from sidecar.record import Records
from xds.compile import Compilation
from xds.model import JwtScheme, Operation, SchemeKind, Version
from xds.model.requirement import in_proxy
from xds.native.addresses import Addresses
from xds.policy.decision import Decision
from xds.policy.engine import Engine
from xds.program.auth import challenge
from xds.telemetry import OFF

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
Seen = Callable[["Verdict", Sent], None]
"""Told of a verdict, and of the request as it came."""

DEADLINE_S = 5.0
"""For one decision. A gateway gives it a quarter of a second; in a test, a slow machine should not decide."""


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """What becomes of a request.

    `status` is 200 if it is forwarded, else that of the refusal. `code` is the refusal's, also of one that `report` mode let
    pass; `reason` the policy's words, or the first violation's. `request` is the request as it was judged: normalised, without
    what no client may send. `refusal` is the answer itself. `judgement` has the decoded parameters, the body and every
    violation with the place in its schema; `decision` the policy's, with the rule that decided. `claims` are the verified
    ones by security scheme, `{}` for a credential that has none; None if no operation was found. `headers` go to the service
    with the request, `response_headers` to the client with the answer, as the policy says.
    """

    status: int
    code: str | None = None
    reason: str | None = None
    version: Version | None = None
    operation: Operation | None = None
    request: Request | None = None
    refusal: Response | None = None
    judgement: Judgement = field(default_factory=lambda: Judgement(Params(), None))
    decision: Decision | None = None
    claims: Mapping[str, Mapping[str, Any]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """`<Verdict 403 policy-denied, catalog/v1 deleteItem>`: a failed assertion shows it, beside sections with the rest."""
        where = (
            f", {self.version.service}/{self.version.name} {self.operation.name}"
            if self.version and self.operation
            else ""
        )
        return f"<Verdict {self.status} {self.code or 'allowed'}{where}>"

    @property
    def allowed(self) -> bool:
        """Whether the request is forwarded."""
        return self.refusal is None

    @property
    def problem(self) -> Mapping[str, Any] | None:
        """The problem document of a refusal; None if there is none, or if the contract or the policy words it otherwise."""
        headers = dict(self.refusal.headers) if self.refusal else {}
        if self.refusal is None or headers.get("content-type") != "application/problem+json":
            return None
        document: dict[str, Any] = json.loads(self.refusal.body)
        return document

    @property
    def errors(self) -> tuple[Mapping[str, Any], ...]:
        """The violations as the problem document has them: `in`, `pointer`, `code`, `detail`."""
        return tuple((self.problem or {}).get("errors", ()))


class Verdicts:
    """Judges requests by one compilation. Use it as a context manager, or close it: policies run in processes of their own.

    `engine` is one that is loaded already, for `revisions` that the compilation has; without one the embedded engine is
    started. `now` gives the time (s) by which tokens expire. `seen` is told of each verdict on a request that the proxy takes.
    """

    def __init__(
        self,
        compilation: Compilation,
        *,
        engine: Callable[[], Engine] | None = None,
        now: Callable[[], float] = time.time,
        files: Mapping[str, bytes] | None = None,
        seen: Seen | None = None,
    ) -> None:
        self.compilation, self.files, self._seen = compilation, files or {}, seen
        self._schemes = {scheme.name: scheme for scheme in compilation.gateway.schemes}
        self._tokens = Tokens({n: s for n, s in self._schemes.items() if isinstance(s, JwtScheme)})
        self._routes, self._now = Routes(compilation.gateway), now
        self._plan = next_plan(Plan(), compilation)
        self._loop = Loop()
        self._engine = (engine or _embedded)()
        self._loop.run(self._load())

    @classmethod
    def of(cls, root: Path, *, env: str | None = None, **options: Any) -> Verdicts:
        """The verdicts of a project's folder. Raises `CannotRun` if a service of it does not compile."""
        from xds.compile import Compiler
        from xds.project.offline import read_offline

        tree = read_offline(root, env)
        compilation = Compiler().compile(tree)
        sound(root, (*tree.problems, *compilation.diagnostics))
        return cls(compilation, files=tree.files, **options)

    def judge(
        self,
        method: str,
        url: str,
        headers: Headers = (),
        body: bytes | str = b"",
        *,
        address: str = "127.0.0.1",
    ) -> Verdict:
        """The verdict on one request. `url` is `/path?query` or a whole URL, `headers` hold `Host` where it matters; a text
        as body is UTF-8. `address` is the client's."""
        try:
            sent = sent_of(method, url, headers, body.encode() if isinstance(body, str) else body, address)
        except Refused as refused:
            return self._refused(str(refused) or "bad-request")
        verdict = self._verdict(method, sent, address)
        if self._seen is not None:
            self._seen(verdict, sent)
        return verdict

    def _verdict(self, method: str, sent: Sent, address: str) -> Verdict:
        edge = self.compilation.gateway.edge.addresses
        if _denied(edge, address):
            return self._refused("address-denied")
        found = self._routes.find(sent.target, method, sent.named)
        if isinstance(found, Unrouted) and found.versions:
            return self._with("unknown-version", unknown_version(found.status, found.versions))
        if isinstance(found, Unrouted):
            return self._with("not-found" if found.status == 404 else "method-not-allowed", unrouted(found))
        return self._routed(sent, asked_of(found.version, found.operation), address)

    def close(self) -> None:
        """End the policies' processes."""
        self._loop.run(self._engine.close())
        self._loop.close()

    def __enter__(self) -> Verdicts:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def _load(self) -> None:
        refused = await self._engine.load(self._plan.bundles)
        if refused:
            await self._engine.close()
            raise ValueError(f"the policy engine refuses {refused}")

    def _routed(self, sent: Sent, asked: Asked, address: str) -> Verdict:
        """The verdict once it is known which operation a request is for."""
        operation = asked.operation
        if code := asked.by_length(sent.length):
            return self._refused(code, asked)
        if _denied(operation.native.addresses, address):
            return self._refused("address-denied", asked)
        if operation.native.sunset is not None and int(self._now()) >= operation.native.sunset.at:
            return self._with("gone", gone(self.compilation.gateway, asked.version, operation), asked)
        found = self._found(operation, sent)
        if in_proxy(operation):
            pass
        elif operation.security and (failed := required(operation.security, found)) is not None:
            return self._refused(_TOKEN[failed], asked, _BEARER)
        claims = {name: each for name, each in found.items() if not isinstance(each, Failure)}
        if self._tokens.refuses(claims, sent.named.get("authorization"), self._now()):
            answer = refusal("token-invalid", operation, asked.version.name, _BEARER, UNFIT)
            return replace(self._refused("token-invalid", asked), refusal=answer)
        caller = Caller(claims, address)
        brought: dict[str, Mapping[str, Any]] = dict(claims)
        if in_proxy(operation):
            credentials = Credentials(self._schemes, sent.named, sent.target.query, found)
            word = credentials.judged(operation.security)
            brought |= credentials.brought
            if (code := asked.by_word(word)) is not None:
                headers = (("www-authenticate", challenge(operation.security)),)
                return replace(self._refused(code, asked, headers), claims=brought)
            lack = f"lack {' '.join(word.lack)}" if word.lack else "pass"
            caller = Caller(claims, address, word.consumer, lack)
        if asked.is_held and len(sent.body) > asked.limit:
            return self._refused("body-too-large", asked)
        request = sent.request(asked, self._schemes)
        verdict = Verdict(200, version=asked.version, operation=operation, request=request)
        return replace(self._judged(asked, request, caller) if asked.companion else verdict, claims=brought)

    def _found(self, operation: Operation, sent: Sent) -> dict[str, Found]:
        """What each scheme of tokens that an operation names makes of the request."""
        now, authorization = self._now(), sent.named.get("authorization")
        names = {c.scheme for a in operation.security for c in a.credentials if c.kind is SchemeKind.JWT}
        return {name: self._tokens.verify(name, authorization, now) for name in sorted(names)}

    def _judged(self, asked: Asked, request: Request, caller: Caller) -> Verdict:
        """What the companion says."""
        version = asked.version
        route = Route(version.digest, f"{version.service}/{version.name}", asked.operation.id)
        outcome = self._loop.run(judge(self._plan, self._engine, request, route, caller, OFF, Records(1)))
        status = outcome.refusal.status if outcome.refusal else 200
        if status >= 500:  # a companion's own 5xx never reaches a client: the proxy answers
            answer = refusal("companion-unavailable", asked.operation, asked.version.name)
            return self._of(asked, request, outcome, answer)
        return self._of(asked, request, outcome, outcome.refusal)

    def _of(self, asked: Asked, request: Request, outcome: Outcome, answer: Response | None) -> Verdict:
        return Verdict(
            answer.status if answer else 200,
            outcome.code,
            outcome.reason,
            asked.version,
            asked.operation,
            request,
            answer,
            outcome.judgement,
            outcome.decision,
            headers=outcome.headers,
            response_headers=outcome.response_headers,
        )

    def _refused(self, code: str, asked: Asked | None = None, headers: Iterable[tuple[str, str]] = ()) -> Verdict:
        """A refusal of the proxy's own."""
        version, operation = (asked.version, asked.operation) if asked else (None, None)
        answer = refusal(code, operation, version.name if version else None, headers)
        claims: dict[str, Mapping[str, Any]] | None = {} if asked else None
        return Verdict(answer.status, code, version=version, operation=operation, refusal=answer, claims=claims)

    def _with(self, code: str, answer: Response, asked: Asked | None = None) -> Verdict:
        """A refusal of the proxy's own that says more than others."""
        version, operation = (asked.version, asked.operation) if asked else (None, None)
        return Verdict(answer.status, code, version=version, operation=operation, refusal=answer)


_BEARER = (("www-authenticate", "Bearer"),)
_TOKEN = {
    Failure.MISSING: "token-missing",
    Failure.STRANGE: "token-invalid",
    Failure.INVALID: "token-invalid",
    Failure.EXPIRED: "token-expired",
    Failure.NO_KEYS: "keys-unavailable",
}


def _embedded() -> Engine:
    from xds.policy.engine import EmbeddedEngine

    return EmbeddedEngine(workers=1, deadline_s=DEADLINE_S)


def _denied(rule: Addresses | None, address: str) -> bool:
    """Whether a rule refuses a client: one in a denied range, or in none of the allowed ones."""
    from ipaddress import ip_address, ip_network

    if rule is None:
        return False
    client = ip_address(address)
    if any(client in ip_network(text) for text in rule.deny):
        return True
    return bool(rule.allow) and not any(client in ip_network(text) for text in rule.allow)
