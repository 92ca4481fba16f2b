"""A control plane without what keeps its sources current ends, so that whoever started it knows."""

from __future__ import annotations

import asyncio

import pytest

from xds.roles.control_plane import until_any


def test_it_goes_on_until_it_is_stopped_or_a_part_fails() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def breaks() -> None:
        raise LookupError("broken")

    async def main() -> None:
        stop = asyncio.Event()
        with pytest.raises(LookupError, match="broken"):
            await until_any(stop, [asyncio.create_task(part()) for part in (waits, breaks)])
        stop.set()
        await until_any(stop, [asyncio.create_task(waits())])
        await until_any(stop, [])

    asyncio.run(main())
