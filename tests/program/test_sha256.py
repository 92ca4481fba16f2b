"""The program's SHA-256 is hashlib's, for texts of every length around a block's end and some thousand others."""

from __future__ import annotations

import hashlib
import random
from importlib.resources import files
from typing import Any

import pytest

lupa = pytest.importorskip("lupa.luajit21", reason="this build of lupa has no LuaJIT 2.1")


@pytest.fixture(scope="module")
def sha256() -> Any:
    runtime = lupa.LuaRuntime(encoding=None)
    return runtime.execute((files("xds.program") / "sha256.lua").read_bytes())


def test_every_length(sha256: Any) -> None:
    for size in range(300):
        text = bytes((size + i) % 256 for i in range(size))
        assert sha256(text) == hashlib.sha256(text).hexdigest().encode()


def test_thousands(sha256: Any) -> None:
    chance = random.Random(7)
    for _ in range(5000):
        text = chance.randbytes(chance.randrange(200))
        assert sha256(text) == hashlib.sha256(text).hexdigest().encode()
    text = chance.randbytes(1 << 20)
    assert sha256(text) == hashlib.sha256(text).hexdigest().encode()
