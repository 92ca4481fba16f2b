"""A change that the engine refuses for one service: the others go on, and the plan says what the engine holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.reload import Current, Reloader
from xds.policy import open as opening
from xds.policy.bundle import Bundle
from xds.policy.embedded import EmbeddedEngine

CONTRACT = """openapi: 3.1.0
info: {title: T, version: "1"}
security: []
paths:
  /%s:
    get:
      responses:
        "200": {description: fine}
"""
POLICY = "package %s.authz\ndefault allow := false\nallow if input.%s\n"
REFUSED = "package b.authz\nallow if { not f({}).b; _ = b }\nf(x) := x"


class Refusing(EmbeddedEngine):
    """An engine that is given, for `b`, text that it refuses although it was checked."""

    spoil = False

    async def load(self, bundles: Mapping[str, Bundle]) -> dict[str, str]:
        spoiled = replace(bundles["b"], programs={"b.rego": REFUSED}) if self.spoil else bundles["b"]
        return await super().load({**bundles, "b": spoiled})


def _write(root: Path, word: str) -> None:
    (root / "sidegate.yaml").write_text(
        "services: {a: {upstream: 'http://127.0.0.1:9000'}, b: {upstream: 'http://127.0.0.1:9001'}}\n"
    )
    for service in ("a", "b"):
        for folder, name, text in (
            ("contracts", "v1.yaml", CONTRACT % service),
            ("policies", "authz.rego", POLICY % (service, word)),
        ):
            (root / folder / service).mkdir(parents=True, exist_ok=True)
            (root / folder / service / name).write_text(text)


def test_what_one_service_is_refused_holds_up_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def report(seconds: float) -> None:
        pass

    async def main() -> None:
        engine = Refusing(1, 2.0)
        current = Current(engine)
        reloader = Reloader(tmp_path, tmp_path / ".state", current, report, opening.open_engine)
        try:
            _write(tmp_path, "one")
            await reloader.load()
            before = dict(current.plan.bundles)
            assert set(before) == {"a", "b"}
            _write(tmp_path, "two")
            engine.spoil = True
            await reloader.load()
            assert list(current.refused) == ["b"]
            assert current.plan.bundles["b"] is before["b"]
            assert current.plan.revisions == engine.revisions
            assert (await engine.decide("a", None, {"two": True})).allowed
            assert not (await engine.decide("a", None, {"one": True})).allowed
            assert (await engine.decide("b", None, {"one": True})).allowed
            assert "the policies of b are refused" in caplog.text
            engine.spoil = False
            await reloader.load()
            assert not current.refused
            assert (await engine.decide("b", None, {"two": True})).allowed
        finally:
            await engine.close()

    asyncio.run(main())
