"""Companions' reports over the same port as ADS: one gRPC method, JSON in and out, so that the same certificate counts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from xds.ads.identity import Identity, identity_of
from xds.handshake import REPORT, SERVICE

log = logging.getLogger("sidegate")

Take = Callable[[str, Mapping[str, Any], Identity | None], Mapping[str, Any]]
"""A node, its report, and who brought it -> the answer. Raises PermissionError or ValueError."""


def report_handler(take: Take) -> Any:
    """The handler to be added to a gRPC server: `{"node": NODE, "report": {...}}` in, what `take` answers out."""
    import grpc

    async def report(data: bytes, context: Any) -> bytes:
        try:
            document = json.loads(data)
            answer = take(str(document["node"]), document["report"], identity_of(context.auth_context()))
        except PermissionError as error:
            log.warning("a report from %s is refused: %s", context.peer(), error)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        except (ValueError, KeyError, TypeError) as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"not a report: {type(error).__name__}: {error}")
        return json.dumps(answer).encode()

    return grpc.method_handlers_generic_handler(SERVICE, {REPORT: grpc.unary_unary_rpc_method_handler(report)})
