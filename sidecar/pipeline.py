"""Plan, Request -> Outcome. Start reading here: match, validate, decide, respond."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sidecar import respond
from sidecar.decide import decide
from sidecar.decision_log import DecisionLog
from sidecar.message import Judgement, Params, Request, Response
from sidecar.plan import Plan, Prepared, UnknownDigest
from sidecar.record import Record, Records
from sidecar.scopes import Lack, lacking, with_twins
from xds.headers import CODE
from xds.model import Mode, Operation
from xds.model.requirement import in_proxy
from xds.policy.decision import Decision
from xds.policy.engine import Engine
from xds.telemetry import Trace, trace_id_of

AUTHENTICATION = frozenset(("token-missing", "insufficient-scope"))
"""Codes that are refused in every mode."""


@dataclass(frozen=True, slots=True)
class Route:
    """What Envoy's route says of a request: which operation of which version, compiled to which digest."""

    digest: str
    version: str
    operation: str

    @classmethod
    def read(cls, header: str | None) -> Route:
        """Read `<digest> <service>/<version>/<operationId>`. Raises `UnknownDigest` for anything else."""
        digest, _, rest = (header or "").partition(" ")
        service, _, rest = rest.partition("/")
        version, _, operation = rest.partition("/")
        if not (digest and service and version and operation):
            raise UnknownDigest("no route")
        return cls(digest, f"{service}/{version}", operation)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as Envoy verified it: the claims of each scheme's token, the client's address, and a key's consumer.

    `auth` is what the proxy's program found, for operations whose credentials it judges: `pass`, or `lack` and scopes.
    `peer` is what a verified client certificate says: `subject`, `uris`, `dns` and `fingerprint`.
    """

    claims: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    address: str | None = None
    consumer: str | None = None
    auth: str | None = None
    peer: Mapping[str, Any] | None = None

    @property
    def payload(self) -> Mapping[str, Any]:
        """All verified claims in one; with several tokens the first scheme's win."""
        merged: dict[str, Any] = {}
        for claims in self.claims.values():
            merged = {**claims, **merged}
        return merged

    @property
    def client(self) -> str | None:
        """The consumer of a key, else the token's subject, else the address."""
        if self.consumer is not None:
            return self.consumer
        subject = self.payload.get("sub")
        return subject if isinstance(subject, str) else self.address


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one request.

    `refusal` is the answer to give instead of forwarding, None to forward; then `headers` are set on the request,
    `remove` taken off it, and `response_headers` added to its response. `code` names the refusal, also one that `report`
    mode let pass.
    """

    refusal: Response | None
    code: str | None = None
    reason: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    response_headers: Mapping[str, str] = field(default_factory=dict)
    judgement: Judgement = Judgement(Params(), None)
    decision: Decision | None = None


async def judge(
    plan: Plan,
    engine: Engine,
    request: Request,
    route: Route,
    caller: Caller,
    trace: Trace,
    records: Records,
    log: DecisionLog | None = None,
) -> Outcome:
    """Judge one request and record it; the policy's decision is told in `log`, if there is one.

    Raises `UnknownDigest` if the plan does not hold what the route names."""
    traceparent = request.header("traceparent")
    trace_id = trace_id_of(traceparent) or request.header("x-request-id")
    with trace.step("match") as step:
        prepared, operation = plan.find(route.digest, route.version, route.operation)
        step.set("sidegate.operation", operation.name)
        step.set("sidegate.digest", route.digest)
        step.set("sidegate.mode", operation.mode.value)
    outcome = await _outcome(plan, engine, prepared, operation, request, caller, trace, trace_id, log)
    records.add(_record(records.next_number(), plan, prepared, operation, request, trace_id, outcome))
    if outcome.refusal is not None and operation.mode is Mode.REPORT and outcome.code not in AUTHENTICATION:
        return replace(outcome, refusal=None)
    if outcome.refusal is not None:
        return replace(outcome, refusal=respond.worded(outcome.refusal, operation))
    return outcome


async def _outcome(
    plan: Plan,
    engine: Engine,
    prepared: Prepared,
    operation: Operation,
    request: Request,
    caller: Caller,
    trace: Trace,
    trace_id: str | None,
    log: DecisionLog | None,
) -> Outcome:
    """The verdict as if every operation enforced: contract, then scopes, then policy."""
    judgement, version = Judgement(Params(), None), prepared.version.name
    broken: Outcome | None = None
    if operation.mode is not Mode.OFF:
        with trace.step("validate") as step:
            judgement = prepared.validators.judge(operation.id, request)
            if judgement.violations:
                refusal = respond.refusal_of(judgement.violations, operation.name, trace_id, version)
                first = judgement.violations[0]
                broken = Outcome(refusal, first.code, first.detail, judgement=judgement)
                step.set("sidegate.violations", [f"{v.location} {v.pointer} {v.code}" for v in judgement.violations])
    if broken and operation.mode is Mode.ENFORCE:
        return broken
    if (lack := _lack(operation, caller, plan)) is not None:
        if not lack.scopes:
            response = respond.token_missing(operation.name, trace_id, version)
            return Outcome(response, "token-missing", "no token of any alternative", judgement=judgement)
        response = respond.scopes_missing(lack.scopes, operation.name, trace_id, version)
        return Outcome(response, "insufficient-scope", f"scope {' '.join(lack.scopes)} missing", judgement=judgement)
    if operation.mode is Mode.OFF or operation.policy.exempt is not None:
        return broken or Outcome(None, judgement=judgement)
    with trace.step("decide") as step:
        bundle = plan.bundles.get(prepared.version.service)
        who = (caller.payload, caller.client, caller.consumer, caller.peer, caller.address)
        decision = await decide(engine, bundle, prepared, operation, request, who, judgement, log)
        step.set("sidegate.policy.revision", decision.revision)
        step.set("sidegate.decision", "allow" if decision.allowed else decision.code)
        step.set("sidegate.policy.rule", str(decision.rule) if decision.rule else None)
    return _decided(decision, broken, judgement, operation, trace_id, version)


def _lack(operation: Operation, caller: Caller, plan: Plan) -> Lack | None:
    """What keeps the request from every alternative. Where the proxy's program judged it, that word counts, and no word is
    no pass."""
    if not in_proxy(operation):
        return lacking(operation.security, with_twins(caller.claims, plan.twins))
    word, _, scopes = (caller.auth or "").partition(" ")
    if word == "pass":
        return None
    return Lack(tuple(scopes.split())) if word == "lack" else Lack()


def _decided(
    decision: Decision,
    broken: Outcome | None,
    judgement: Judgement,
    operation: Operation,
    trace_id: str | None,
    version: str,
) -> Outcome:
    """The verdict once the policy has spoken; `broken` is what the contract said before it, in `report` mode only."""
    if decision.allowed:
        # In `report` mode also a request that breaks its contract goes on, with what the policy says of its headers.
        return replace(
            broken or Outcome(None, judgement=judgement),
            headers=decision.headers,
            remove=decision.headers_to_remove,
            response_headers=decision.response_headers,
            decision=decision,
        )
    if broken:
        return replace(broken, decision=decision)
    refusal = _denial(decision, operation, trace_id, version)
    return Outcome(refusal, decision.code, decision.reason, judgement=judgement, decision=decision)


def _denial(decision: Decision, operation: Operation, trace_id: str | None, version: str) -> Response:
    """A policy's denial: its own body if it gave one, as opa-envoy-plugin sends it, else a problem document."""
    code = decision.code or "policy-denied"
    # No engine answered: that is the gateway's trouble, not the client's. Envoy answers a 503 of its own for this one.
    status = decision.http_status or (503 if code == "policy-unavailable" else 403)
    headers = tuple(decision.headers.items())
    if decision.body is not None:
        return Response(status, ((CODE, code), *headers), decision.body.encode())
    worded = decision.reason if code == "policy-denied" else None
    detail = worded or DENIALS.get(code, "the policy could not decide")
    name = operation.name
    return respond.problem(status, code, detail, operation=name, trace_id=trace_id, version=version, headers=headers)


DENIALS = {
    "policy-denied": "the policy denies it",
    "policy-undefined": "the policy does not say that it is allowed",
    "policy-unbound": "no policy decides this operation",
}
"""What a client is told unless the policy worded its denial; other codes are the gateway's own trouble and say no more."""


def _record(
    number: int,
    plan: Plan,
    prepared: Prepared,
    operation: Operation,
    request: Request,
    trace_id: str | None,
    outcome: Outcome,
) -> Record:
    bundle = plan.bundles.get(prepared.version.service)
    refused = outcome.refusal is not None and (operation.mode is not Mode.REPORT or outcome.code in AUTHENTICATION)
    return Record(
        number=number,
        time=time.time(),
        trace_id=trace_id,
        service=prepared.version.service,
        version=prepared.version.name,
        operation=operation.name,
        digest=prepared.version.digest,
        revision=bundle.revision if bundle else None,
        method=request.method,
        path=request.path,
        mode=operation.mode.value,
        status=outcome.refusal.status if refused and outcome.refusal else 200,
        code=outcome.code,
        reason=outcome.reason,
        violations=outcome.judgement.violations,
        decision=outcome.decision,
    )
