"""The end of a companion: every part says its farewell first."""

from __future__ import annotations

import asyncio

from sidecar.serve import _ended


def test_a_part_that_ends_at_once_takes_no_farewell_from_another() -> None:
    said: list[str] = []

    async def waits() -> None:
        await asyncio.Event().wait()

    async def takes_leave() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(100):
                await asyncio.sleep(0)
            said.append("bye")

    async def breaks() -> None:
        raise OSError("broken")

    async def main() -> None:
        parts = [asyncio.create_task(part()) for part in (waits, takes_leave)]
        await asyncio.sleep(0)
        assert await _ended(parts) is None
        assert said == ["bye"]
        parts = [asyncio.create_task(part()) for part in (waits, breaks, takes_leave)]
        await asyncio.sleep(0)
        assert str(await _ended(parts)) == "broken"
        assert said == ["bye", "bye"]

    asyncio.run(main())
