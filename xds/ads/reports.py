"""Companions over the same port as ADS: reports in, sources out, JSON both, so that the same certificate counts."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from xds.ads.identity import Identity, identity_of
from xds.handshake import REPORT, SERVICE, SOURCES

log = logging.getLogger("sidegate")

Take = Callable[[str, Mapping[str, Any], Identity | None], Mapping[str, Any]]
"""A node, its report, and who brought it -> the answer. Raises PermissionError or ValueError."""
Hand = Callable[[str, str, float, Identity | None], Awaitable[Mapping[str, Any]]]
"""A service, the revision of its sources that is there, how long to wait for another, and who asks -> the sources."""
Answer = Callable[[Any, Identity | None], Awaitable[Mapping[str, Any]]]


def companion_handler(take: Take, hand: Hand) -> Any:
    """The handler to be added to a gRPC server; see `xds.handshake` for what goes in and out."""

    async def report(document: Any, identity: Identity | None) -> Mapping[str, Any]:
        return take(str(document["node"]), document["report"], identity)

    async def sources(document: Any, identity: Identity | None) -> Mapping[str, Any]:
        wait = min(30.0, float(document["wait"]))
        return await hand(str(document["service"]), str(document["have"]), wait, identity)

    import grpc

    methods = {REPORT: _method(report), SOURCES: _method(sources)}
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def _method(answer: Answer) -> Any:
    import grpc

    async def called(data: bytes, context: Any) -> bytes:
        try:
            said = await answer(json.loads(data), identity_of(context.auth_context() or {}))
        except PermissionError as error:
            log.warning("a companion at %s is refused: %s", context.peer(), error)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        except (ValueError, KeyError, TypeError) as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"not understood: {type(error).__name__}: {error}")
        return json.dumps(said).encode()

    return grpc.unary_unary_rpc_method_handler(called)
