"""a growing file -> its lines, kept to a size."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

EVERY_S = 0.1
LARGEST = 64 << 20
"""Bytes at which a log is put aside as `<name>.1`, in place of the one before."""
_CHUNK = 1 << 20


async def tail(path: Path, take: Callable[[bytes], None], reopen: Callable[[], None]) -> None:
    """Give each new line of the file to `take`, until cancelled. `reopen` tells the writer to open the path anew.

    Lines come in batches, since a wake-up a line would cost more than the request the line is about.
    """
    path.touch()
    rest = b""
    stream = path.open("rb")
    try:
        stream.seek(0, os.SEEK_END)
        while True:
            while chunk := stream.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    take(line)
            if stream.tell() > LARGEST:
                with contextlib.suppress(OSError):
                    path.replace(path.with_name(f"{path.name}.1"))
                    path.touch()
                    reopen()
                    await asyncio.sleep(EVERY_S)  # the writer's last lines in the old file
                    for line in (rest + stream.read()).split(b"\n"):
                        take(line)
                    rest = b""
                    stream.close()
                    stream = path.open("rb")
            await asyncio.sleep(EVERY_S)
    finally:
        stream.close()
