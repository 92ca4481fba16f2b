"""resource, Edge -> the resource as patches have it (`sidegate.yaml`, `patches`)."""

from __future__ import annotations

import json
from typing import TypeVar

from betterproto2 import Message

from xds.native import Edge
from xds.protos import merged

M = TypeVar("M", bound=Message)


def patched(resource: str, name: str, message: M, edge: Edge) -> M:
    """The message with every patch that touches it merged in, in their order; the message itself if there is none.

    Raises `Mismatch` if one does not fit after all: nothing is published then.
    """
    for patch in edge.patches:
        if patch.touches(resource, name):
            message = merged(message, json.loads(patch.merge))
    return message
