"""The filter that tells every later one, and the companion, which operation a request is and which trace it belongs to.

It is a filter of the connection manager and reads the route's metadata, so that routes need no configuration of their own
for it, and it overwrites, so that whatever a client sent is gone.
"""

from __future__ import annotations

from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation, Mutations

from xds import headers
from xds.envoy.names import METADATA
from xds.envoy.typed import set_header


def _route(key: str) -> str:
    return f"%METADATA(ROUTE:{METADATA}:{key})%"


OPERATION = f"{_route('digest')} {_route('service')}/{_route('version')}/{_route('operation')}"


def context() -> HeaderMutation:
    """The filter's configuration."""
    mutations = [
        set_header(headers.OPERATION, OPERATION),
        set_header(headers.TRACE, "%TRACE_ID%"),
        set_header(headers.LENGTH, "%REQ(CONTENT-LENGTH)%"),
        # X-Forwarded-For will not do: for a peer on loopback Envoy appends the host's own address to it.
        set_header(headers.CLIENT, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ]
    return HeaderMutation(mutations=Mutations(request_mutations=mutations))
