"""Verdict -> Exchange; an engine that notes what it is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_sidegate.verdicts import Verdict
from sidecar.scopes import lacking
from xds.model import Mode
from xds.policy.bundle import Bundle
from xds.policy.decision import Decision
from xds.policy.engine import Engine

from .data import Asked
from .rego import MOST
from .seen import Exchange

_LACKING = ("token-", "credentials-", "insufficient-scope")
"""Codes of refusals for what a request lacks of credentials."""


def exchange_of(verdict: Verdict, status: int | None = None, media: str | None = None) -> Exchange | None:
    """What a verdict shows; None for a request that no operation is for. `status` and `media` are of the service's answer,
    if the request was forwarded to one."""
    if verdict.operation is None or verdict.version is None:
        return None
    operation, version = verdict.operation, verdict.version
    if verdict.refusal is not None:
        status, media = verdict.status, dict(verdict.refusal.headers).get("content-type")
    judged = verdict.request is not None and operation.mode is not Mode.OFF
    return Exchange(
        f"{version.service}/{version.name}",
        operation,
        verdict.request,
        verdict.judgement if judged else None,
        _met(verdict),
        verdict.decision.allowed if verdict.decision else None,
        status,
        media,
    )


def _met(verdict: Verdict) -> tuple[int, ...] | None:
    if (verdict.code or "").startswith(_LACKING):
        return ()
    if verdict.request is None or verdict.operation is None or verdict.judgement.violations or verdict.claims is None:
        return None  # refused before anybody knew, or before scopes were looked at
    security = enumerate(verdict.operation.security)
    return tuple(index for index, alternative in security if lacking((alternative,), verdict.claims) is None)


class NotingEngine:
    """An engine that answers as the one it stands before, and keeps what that was asked in `asked`, the first `MOST`."""

    def __init__(self, engine: Engine, asked: set[Asked]) -> None:
        self._engine, self.asked, self.prunes = engine, asked, engine.prunes
        self._defaults: Mapping[str, str | None] = {}

    @property
    def revisions(self) -> Mapping[str, str]:
        return self._engine.revisions

    async def load(self, bundles: Mapping[str, Bundle]) -> dict[str, str]:
        self._defaults = {name: bundle.default_entrypoint for name, bundle in bundles.items()}
        return await self._engine.load(bundles)

    async def decide(self, service: str, entrypoint: str | None, input: Mapping[str, Any]) -> Decision:
        rule = entrypoint or self._defaults.get(service)
        if rule is not None and len(self.asked) < MOST:
            self.asked.add(Asked(rule, json.dumps(input, sort_keys=True)))
        return await self._engine.decide(service, entrypoint, input)

    async def value(self, service: str, rule: str, input: Mapping[str, Any]) -> Any:
        return await self._engine.value(service, rule, input)

    async def problems(self) -> tuple[str, ...]:
        return await self._engine.problems()

    async def close(self) -> None:
        await self._engine.close()
