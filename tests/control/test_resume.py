"""A control plane that starts again gives proxies what they had, before and without compiling; damage is never served."""

from __future__ import annotations

import asyncio

import pytest

from tests.projects import pets, write
from xds.control.groups import EVERYTHING, Companion
from xds.control.plane import ControlPlane
from xds.envoy import Profile

PROFILE = Profile(("127.0.0.1", 1), ("127.0.0.1", 2))


def run_once(root, state, profile=PROFILE):
    """Start, let a companion report all digests, stop. Returns the snapshot after the start, and the one at the end."""

    async def inside():
        plane = ControlPlane(root, profile, ads="127.0.0.1:0", on_event=lambda event: None, state=state)
        compilation = await plane.start()
        first = plane.server.snapshot(EVERYTHING)
        held = {name: (digest,) for name, digest in compilation.digests.items()}
        plane.publisher.report(Companion("one", EVERYTHING, "http://x", held, {}, 1e12))
        last = plane.server.snapshot(EVERYTHING)
        await plane.stop()
        return first, last

    return asyncio.run(inside())


def test_the_last_snapshot_is_there_at_once(tmp_path):
    root, state = write(tmp_path / "project", pets()), tmp_path / "state"
    first, last = run_once(root, state)
    assert first is None
    assert last is not None
    (root / "contracts/pets/v1.yaml").write_text("openapi: [")
    again, _ = run_once(root, state)
    assert again is not None
    assert again.digest == last.digest


def test_not_for_another_profile(tmp_path):
    root, state = write(tmp_path / "project", pets()), tmp_path / "state"
    run_once(root, state)
    again, _ = run_once(root, state, Profile(("127.0.0.1", 3), ("127.0.0.1", 2)))
    assert again is None


@pytest.mark.parametrize("damage", [b"", b"sidegate snapshot 1\n", b"\xff" * 100])
def test_damage_is_not_served(tmp_path, damage):
    root, state = write(tmp_path / "project", pets()), tmp_path / "state"
    run_once(root, state)
    (state / "snapshot").write_bytes(damage)
    again, last = run_once(root, state)
    assert again is None
    assert last is not None
