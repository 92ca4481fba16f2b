"""Conditions -> a test goes on once they hold. Nothing waits for a time: the bound is for what never comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 240.0
"""The first start on a busy machine loads everything cold."""
_STEP_S = 0.02


def until(holds: Callable[[], object], why: Callable[[], object] = str, seconds: float = PATIENCE_S) -> float:
    """Wait until `holds()` is true; how many seconds that took. Raises AssertionError with `why()` after so long."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, why() or f"it does not hold after {seconds:g} s"
        time.sleep(_STEP_S)
    return time.monotonic() - began


async def soon(holds: Callable[[], object], why: Callable[[], object] = str, seconds: float = PATIENCE_S) -> None:
    """`until` beside other tasks."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, why() or f"it does not hold after {seconds:g} s"
        await asyncio.sleep(_STEP_S)
