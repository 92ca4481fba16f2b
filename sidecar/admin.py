"""admin.yaml -> the companion's own API: health, digests held, recent decisions, and judging a described request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.match import match
from sidecar.message import Request
from sidecar.pipeline import Caller, Route, judge
from sidecar.record import Records
from sidecar.reload import Current
from xds.http.api import contract_app
from xds.telemetry import OFF

Answer = tuple[Any, int]


class Admin:
    """One method an operation of admin.yaml, by its operationId."""

    def __init__(self, current: Current, records: Records) -> None:
        self.current, self.records = current, records

    async def health(self) -> Answer:
        missing = [] if self.current.plan.held else ["no contract is held"]
        missing.extend(await self.current.engine.problems())
        return {"healthy": not missing, "missing": missing}, 503 if missing else 200

    async def digests(self) -> Answer:
        return {"digests": self.current.plan.digests, "revisions": self.current.plan.revisions}, 200

    async def validate(self, body: Mapping[str, Any]) -> Answer:
        path, mark, query = body["path"].partition("?")
        held = self.current.plan.held.get(f"{body['service']}/{body['version']}")
        if not held:
            return {"title": "Not Found", "status": 404, "detail": "no such service version is held"}, 404
        prepared = held[0]
        found = match(prepared.version.operations, body["method"], path)
        if found.operation is None:
            status = 405 if found.allow else 404
            code = "method-not-allowed" if found.allow else "not-found"
            return {"allowed": False, "status": status, "code": code, "reason": None, "operation": None}, 200
        headers = tuple((name.lower(), value) for name, value in (body.get("headers") or {}).items())
        text = (body.get("body") or "").encode()
        request = Request(body["method"], path, query if mark else None, headers, text)
        claims = body.get("claims")
        schemes = {c.scheme for a in found.operation.security for c in a.credentials} if claims is not None else set()
        caller = Caller(dict.fromkeys(schemes, claims) if claims is not None else {}, "127.0.0.1")
        if found.operation.security and all(a.credentials for a in found.operation.security) and not schemes:
            return {"allowed": False, "status": 401, "code": "token-missing", "reason": None}, 200
        route = Route(prepared.version.digest, f"{body['service']}/{body['version']}", found.operation.id)
        # Asking is not a request: it leaves no record among those of real ones.
        outcome = await judge(self.current.plan, self.current.engine, request, route, caller, OFF, Records(1))
        refusal = outcome.refusal
        return {
            "allowed": refusal is None,
            "status": refusal.status if refusal else 200,
            "code": outcome.code,
            "reason": outcome.reason,
            "operation": found.operation.name,
            "problem": _document(refusal.body) if refusal else None,
        }, 200

    async def decisions(self, limit: int = 100) -> Answer:
        return [r.document() for r in self.records.latest(limit)], 200

    async def decision(self, trace: str) -> Answer:
        record = self.records.of_trace(trace)
        if record is None:
            return {"title": "Not Found", "status": 404, "detail": "no such trace in the store"}, 404
        return record.document(), 200

    async def counts(self) -> Answer:
        return self.records.counts.rows(), 200

    async def refusals(self, after: int = 0, wait: float = 0) -> Answer:
        return [r.document() for r in await self.records.refusals_after(after, wait)], 200


def admin_app(current: Current, records: Records) -> Any:
    """The API as an ASGI application."""
    return contract_app(Path(__file__).with_name("admin.yaml"), Admin(current, records))


def _document(body: bytes) -> Any:
    import json

    try:
        return json.loads(body)
    except ValueError:
        return None
