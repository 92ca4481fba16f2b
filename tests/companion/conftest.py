"""A companion in this process: real validators, the real embedded engine, asked through its ASGI application."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from sidecar.check import Check
from sidecar.plan import Plan, next_plan
from sidecar.record import Records
from sidecar.reload import Current
from tests.waiting import PATIENCE_S
from xds.compile import Compilation
from xds.policy.engine import EmbeddedEngine
from xds.telemetry import Traces


class Asked:
    """What the companion answered."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start = next(m for m in messages if m["type"] == "http.response.start")
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")

    @property
    def problem(self) -> dict[str, Any]:
        return json.loads(self.body)


class Asking:
    """Asks as Envoy does. `version` is the compiled version that routes name."""

    def __init__(self, compilation: Compilation, current: Current) -> None:
        self.version = compilation.gateway.services[0].versions[0]
        self.records = Records()
        self.current = current
        self.check = Check(current, self.records, Traces("test", {}))

    async def __call__(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        claims: dict[str, Any] | None = None,
        body: bytes = b"",
        headers: Iterable[tuple[str, str]] = (),
        digest: str | None = None,
        chunks: list[dict[str, Any]] | None = None,
    ) -> Asked:
        route = f"{digest or self.version.digest} {self.version.service}/{self.version.name}/{operation}"
        pairs = [("x-sidegate-operation", route), ("host", "api.test"), *headers]
        if claims is not None:
            payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
            pairs.append(("x-sidegate-claims-bearer", payload))
        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "raw_path": b"/check" + raw.encode(),
            "query_string": query.encode(),
            "headers": [(n.encode(), v.encode()) for n, v in pairs],
        }
        incoming = chunks or [{"type": "http.request", "body": body, "more_body": False}]
        feed, sent = iter(incoming), []

        async def receive() -> dict[str, Any]:
            return next(feed)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await asyncio.wait_for(self.check(scope, receive, send), PATIENCE_S)
        return Asked(sent)


@asynccontextmanager
async def asking(compilation: Compilation) -> AsyncIterator[Asking]:
    """A companion that holds a compilation."""
    engine = EmbeddedEngine(workers=1, deadline_s=20.0)
    try:
        plan = next_plan(Plan(), compilation)
        await engine.load(plan.bundles)
        yield Asking(compilation, Current(engine, plan=plan))
    finally:
        await engine.close()
