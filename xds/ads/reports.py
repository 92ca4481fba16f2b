"""Companions over the same port as ADS: streams and sources, JSON both ways, so that the same certificate counts."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from xds.ads.identity import Identity, identity_of
from xds.handshake import FOLLOW, SERVICE, SOURCES

log = logging.getLogger("sidegate")

FIRST_S = 60.0
"""How long a stream may stay without anybody saying who it is."""
_TOLD = 256


class Line(Protocol):
    """One companion's stream."""

    def receive(self, document: Mapping[str, Any]) -> None:
        """Take what it says. Raises PermissionError, ValueError, KeyError or TypeError."""

    async def news(self) -> bytes:
        """Wait for what is to be said to it. Raises PermissionError once it may not be what it says it is."""

    def close(self) -> None:
        """It ended, in whatever way."""


Open = Callable[[Mapping[str, Any], Identity | None, str], Line]
"""What a companion says first, its certificate and its address -> its line. Raises as `Line.receive`."""
Hand = Callable[[str, Identity | None, str], Awaitable[bytes]]
"""A service, a certificate and an address -> the service's sources, as they travel. Raises PermissionError."""


def companion_handler(open_: Open, hand: Hand) -> Any:
    """The handler to be added to a gRPC server; see `xds.handshake` for what goes in and out."""
    import grpc

    told: set[str] = set()

    async def refuse(error: Exception, context: Any) -> None:
        """End a stream or a question. What was not understood is logged, once a peer: the fault may lie here."""
        mark = f"{context.peer().rpartition(':')[0]} {error!r}"
        if not isinstance(error, PermissionError) and mark not in told:
            if len(told) >= _TOLD:
                told.clear()
            told.add(mark)
            log.warning("what a companion at %s says is not understood", context.peer(), exc_info=error)
        await context.abort(*_status(error))

    async def follow(requests: AsyncIterator[bytes], context: Any) -> None:
        try:
            async with asyncio.timeout(FIRST_S):
                first = json.loads(await anext(requests))
            line = open_(first, _identity(context), context.peer())
        except StopAsyncIteration:
            return
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "nobody said who this is")
        except _REFUSED as error:
            await refuse(error, context)
        try:
            # By itself: gRPC ends no stream whose first message is still under way with it.
            await context.send_initial_metadata(())
            await _both(line, requests, context.write)
        except _REFUSED as error:
            await refuse(error, context)
        finally:
            line.close()

    async def sources(data: bytes, context: Any) -> bytes:
        try:
            return await hand(str(json.loads(data)["service"]), _identity(context), context.peer())
        except _REFUSED as error:
            await refuse(error, context)
            raise

    methods = {
        FOLLOW: grpc.stream_stream_rpc_method_handler(follow),
        SOURCES: grpc.unary_unary_rpc_method_handler(sources),
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


async def _both(line: Line, requests: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]) -> None:
    """Read and write until one of the two ends."""

    async def read() -> None:
        async for data in requests:
            line.receive(json.loads(data))

    async def tell() -> None:
        while True:
            await write(await line.news())

    tasks = [asyncio.create_task(read()), asyncio.create_task(tell())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_REFUSED = (PermissionError, ValueError, KeyError, TypeError, AttributeError)


def _status(error: Exception) -> tuple[Any, str]:
    import grpc

    if isinstance(error, PermissionError):
        return grpc.StatusCode.PERMISSION_DENIED, str(error)
    return grpc.StatusCode.INVALID_ARGUMENT, f"not understood: {type(error).__name__}: {error}"


def _identity(context: Any) -> Identity | None:
    return identity_of(context.auth_context() or {})
