"""A proxy that is refused asks again and again; its log is read by people."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from xds.ads.events import Denied
from xds.ads.messages import Node
from xds.control import plane as module
from xds.control.plane import ControlPlane
from xds.envoy import Profile

PROFILE = Profile(("127.0.0.1", 1), ("127.0.0.1", 2))


def test_each_is_told_once_and_again_after_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told() -> list[str]:
        caplog.clear()
        plane = ControlPlane(tmp_path, PROFILE, ads="127.0.0.1:0", on_event=lambda event: None)
        for node, reason in (("a", "no"), ("a", "no"), ("b", "no"), ("a", "expired"), ("a", "no")):
            plane._on_stream(Denied(Node(node), "ipv4:127.0.0.1:1", reason))
        return [f"{args[0]} {args[2]}" for record in caplog.records if isinstance(args := record.args, tuple)]

    with caplog.at_level(logging.WARNING, "sidegate"):
        assert asyncio.run(told()) == ["a no", "b no", "a expired"]
        monkeypatch.setattr(module, "AGAIN_S", 0.0)
        assert len(asyncio.run(told())) == 5
