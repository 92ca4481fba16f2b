"""What a stream failed with -> the status that it ends with, and the reason."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio

from xds.ads.machine import ProtocolError
from xds.ads.session import Forbidden
from xds.snapshot.wire import WireError


def ending(error: BaseException | None) -> tuple[grpc.StatusCode | None, str]:
    """None where the client ended it, and there is nothing to be said."""
    if isinstance(error, WireError):
        return grpc.StatusCode.INVALID_ARGUMENT, f"not a discovery request: {error}"
    if isinstance(error, Forbidden):
        return grpc.StatusCode.PERMISSION_DENIED, str(error)
    if isinstance(error, ProtocolError):
        exhausted = error.exhausted
        return grpc.StatusCode.RESOURCE_EXHAUSTED if exhausted else grpc.StatusCode.INVALID_ARGUMENT, str(error)
    if isinstance(error, (grpc.aio.UsageError, grpc.aio.BaseError, asyncio.CancelledError)) or error is None:
        return None, ""
    return grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
