"""Operation -> buffer: the limit of a body that nobody holds back to judge it; and which limit is meant at all.

Three things keep a limit. A body that announces a larger length is refused by its route, before it is sent. One that comes
without a length is held back until it is whole: by the companion's filter where the companion judges it, else by this
one. A body that streams is held back by nothing, so where it has a limit it must announce its length.
"""

from __future__ import annotations

from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer, BufferPerRoute

from xds.envoy.filters import companion
from xds.envoy.profile import Profile
from xds.envoy.routed import Routed


def buffer(profile: Profile) -> Buffer:
    """The filter's configuration; every route that it runs for has a limit of its own."""
    return Buffer(max_request_bytes=profile.limits.body)


def per_route(routed: Routed) -> BufferPerRoute | None:
    """The limit of an operation whose body is not judged, if it asks for one."""
    limit = routed.operation.native.body_limit
    if limit is None or routed.streamed or companion.asked(routed.operation):
        return None
    return BufferPerRoute(buffer=Buffer(max_request_bytes=limit))


def announced(routed: Routed) -> int | None:
    """The largest length that a request may announce, None if any."""
    operation = routed.operation
    if operation.native.body_limit is not None:
        return operation.native.body_limit
    judged = operation.body is not None and not routed.streamed and companion.asked(operation)
    return operation.body.limit if operation.body is not None and judged else None


def must_announce(routed: Routed) -> bool:
    """Whether a request without a length is refused: Envoy has no other way to bound what streams."""
    return routed.streamed and routed.operation.native.body_limit is not None
