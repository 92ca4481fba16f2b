"""`upgrade: websocket`, event streams and gRPC -> operations that last: they are given up when idle, not when they are long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xds.native.feature import Feature, Problem, Site

if TYPE_CHECKING:
    from xds.model import Operation

GRPC = "application/grpc"
EVENTS = "text/event-stream"


def calls(operation: Operation) -> bool:
    """Whether an operation takes gRPC: every media type of its body is one of gRPC's."""
    media = operation.body.media if operation.body else ()
    return bool(media) and all(entry.range == GRPC or entry.range.startswith(GRPC + "+") for entry in media)


def lasts(operation: Operation) -> bool:
    """Whether an operation's answer may take as long as it likes: a WebSocket, an event stream, a gRPC call."""
    return operation.native.upgrade is not None or operation.events or calls(operation)


def _check(value: str, operation: Operation, site: Site) -> Iterator[Problem]:
    if operation.method != "GET":
        yield Problem(f"a WebSocket begins with GET, not with {operation.method}", help="see RFC 6455, section 4.1")


UPGRADE = Feature(
    key="upgrade",
    field="upgrade",
    schema={"const": "websocket", "description": "websocket: the operation becomes a WebSocket; all others refuse to"},
    read=str,
    check=_check,
    said=lambda value: "may become a WebSocket, which is judged when it begins, not message by message",
)
