"""Request, judgement -> Decision: the input that the policy reads, and the engine's answer to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from sidecar.decision_log import Asked, DecisionLog
from sidecar.message import NO_BODY, Judgement, Params, Request
from sidecar.plan import Prepared
from xds.model import Operation, Version
from xds.policy.bundle import Bundle
from xds.policy.decision import UNBOUND, Decision, denial
from xds.policy.engine import Engine
from xds.policy.input import Reads, build_input, reads

Caller = tuple[Mapping[str, Any], str | None, str | None, Mapping[str, Any] | None, str | None]
"""The verified claims, the client, a key's consumer, what the client's certificate says, and its address."""


async def decide(
    engine: Engine,
    bundle: Bundle | None,
    prepared: Prepared,
    operation: Operation,
    request: Request,
    caller: Caller,
    judgement: Judgement,
    log: DecisionLog | None = None,
) -> Decision:
    """Ask the policy bound to an operation; never raises for a policy. With a `log` it is told of the decision."""
    version = prepared.version
    entrypoint = operation.policy.entrypoint or (bundle.default_entrypoint if bundle else None)
    if bundle is None or entrypoint is None:
        return denial(UNBOUND, "no policy decides this operation")
    document = partial(_document, version, operation, request, caller, judgement)
    begun, when = time.perf_counter_ns(), time.time_ns()
    input = document(reads(bundle, entrypoint) if engine.prunes else None)
    decision = await engine.decide(version.service, entrypoint, input)
    if log is not None:
        took = time.perf_counter_ns() - begun
        whole = partial(document, None)
        traceparent = request.header("traceparent")
        log.add(Asked(version.service, entrypoint, whole, decision, traceparent, caller[4], when, took))
    return decision


def _document(
    version: Version, operation: Operation, request: Request, caller: Caller, judgement: Judgement, read: Reads | None
) -> dict[str, Any]:
    """The input as far as it is read (None: all of it)."""
    body = {} if judgement.body is NO_BODY else {"parsed_body": judgement.body}
    return build_input(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        host=request.header("host") or "",
        body=request.body,
        request_id=request.header("x-request-id") or "",
        sidegate=_known(version, operation, caller, judgement.params),
        reads=read,
        **body,
    )


def _known(version: Version, operation: Operation, caller: Caller, params: Params) -> dict[str, Any]:
    """`input.sidegate`: what the gateway knows of a request and OPA-Envoy would not."""
    claims, client, consumer, peer, _ = caller
    return {
        "service": version.service,
        "version": version.name,
        "operation_id": operation.name,
        "tags": list(operation.tags),
        "params": {"path": params.path, "query": params.query, "header": params.header, "cookie": params.cookie},
        "claims": claims,
        "client": client,
        "consumer": consumer,
        "peer": peer,
    }
