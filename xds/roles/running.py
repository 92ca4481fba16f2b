"""A role's coroutine -> a process: logs, signals, exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from xds.failure import CannotRun

log = logging.getLogger("sidegate")


def run(role: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run a role in the main thread's event loop until it returns; the event it is given is set by SIGTERM or SIGINT.

    What it makes is its owner's alone. Raises CannotRun if an address is taken or a folder cannot be used.
    """
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for quiet in ("httpx", "watchfiles", "connexion", "openapi_spec_validator"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    try:
        return asyncio.run(_until_signalled(role))
    except OSError as error:
        raise CannotRun(f"{error.filename or ''} {error.strerror or error}".strip()) from error


async def _until_signalled(role: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await role(stop)


async def left(connected: Callable[[], int], grace: float) -> None:
    """Wait until no proxy is connected any more, `grace` seconds at the most.

    In a pod whose containers are all told to end at once, the proxy drains while its requests are still judged here.
    """
    end = asyncio.get_running_loop().time() + grace
    while connected() and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)
