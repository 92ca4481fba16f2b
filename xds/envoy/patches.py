"""resource, Edge -> the resource as patches have it (`sidegate.yaml`, `patches`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from betterproto2 import Message

from xds.native import Edge
from xds.protos import merged

M = TypeVar("M", bound=Message)


SENT = frozenset(
    (
        "route",
        "request_headers_to_add",
        "request_headers_to_remove",
        "response_headers_to_add",
        "response_headers_to_remove",
    )
)
"""The fields of a route that tell how the service is asked, and what is made of its answer: of an operation with a cache they
are its second route's (`xds.envoy.misses`)."""


def patched(resource: str, name: str, message: M, edge: Edge, taken: Callable[[str], bool] = lambda field: True) -> M:
    """The message with every patch that touches it merged in, in their order; the message itself if there is none.

    Only the fields that are `taken` are. Raises `Mismatch` if one does not fit after all: nothing is published then.
    """
    for patch in edge.patches:
        if patch.touches(resource, name):
            merge: dict[str, Any] = json.loads(patch.merge)
            message = merged(message, {field: value for field, value in merge.items() if taken(field)})
    return message
