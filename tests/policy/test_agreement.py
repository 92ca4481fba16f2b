"""The same policies and inputs through both engines: one verdict, one reason, one set of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.opa_server import OpaServer, opa_binary, opa_server
from xds.policy.bundle import Bundle, load_bundle
from xds.policy.decision import Decision
from xds.policy.engine import EmbeddedEngine, Engine, OpaEngine
from xds.policy.input import prune, reads

__all__ = ["opa_binary", "opa_server"]

TABLE = yaml.safe_load(Path(__file__).with_name("agreement.yaml").read_text(encoding="utf-8"))


def _bundle(case: dict[str, Any]) -> Bundle:
    bundle, said = load_bundle("catalog", {"policies/catalog/authz.rego": case["policy"].encode()})
    assert bundle is not None, said
    return bundle


def _check(ask: dict[str, Any], got: Decision) -> None:
    assert (got.code or "allow") == ask["want"], (ask, got)
    assert got.allowed == (ask["want"] == "allow")
    if "reason" in ask:
        assert got.reason == ask["reason"]
    if "place" in ask:
        assert got.rule is not None
        assert got.rule.line == ask["place"]
    for name, value in ask.get("decision", {}).items():
        found = getattr(got, name)
        assert (list(found) if isinstance(found, tuple) else found) == value


async def _run(engine: Engine, prepare: Callable[[Bundle], Awaitable[None]], pruned: bool) -> None:
    try:
        for case in TABLE:
            bundle = _bundle(case)
            await prepare(bundle)
            await engine.load({"catalog": bundle})
            for ask in case["ask"]:
                document = prune(ask["input"], reads(bundle, None)) if pruned else ask["input"]
                _check(ask, await engine.decide("catalog", None, document))
    finally:
        await engine.close()


async def _nothing(bundle: Bundle) -> None:
    """The embedded engine is given bundles by `load`."""


@pytest.mark.parametrize("pruned", [False, True], ids=["whole", "pruned"])
def test_embedded(pruned: bool) -> None:
    async def main() -> None:
        await _run(EmbeddedEngine(1, 2.0), _nothing, pruned)

    asyncio.run(main())


def test_opa(opa_server: OpaServer) -> None:
    async def put(bundle: Bundle) -> None:
        for text in bundle.modules.values():
            await asyncio.to_thread(opa_server.put, "policies/p", text)

    asyncio.run(_run(OpaEngine(opa_server.url, 2.0), put, False))
