"""The filter that tells every later one, and the companion, which operation a request is and which trace it belongs to.

It is a filter of the connection manager and reads the route's metadata, so that routes need no configuration of their own
for it, and it overwrites, so that whatever a client sent is gone. Delivered by ExtensionConfigDiscovery, since the names of
the headers that carry claims are settings.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation, Mutations

from xds import headers
from xds.envoy.names import METADATA
from xds.envoy.typed import set_header
from xds.model import Gateway, JwtScheme


def _route(key: str) -> str:
    return f"%METADATA(ROUTE:{METADATA}:{key})%"


OPERATION = f"{_route('digest')} {_route('service')}/{_route('version')}/{_route('operation')}"


def context(gateway: Gateway) -> HeaderMutation:
    """The filter's configuration. What carries verified claims to upstreams is taken off every request first."""
    mutations = [
        *(Mutation(remove=name) for name in _claim_headers(gateway)),
        set_header(headers.OPERATION, OPERATION),
        set_header(headers.TRACE, "%TRACE_ID%"),
        set_header(headers.LENGTH, "%REQ(CONTENT-LENGTH)%"),
        # X-Forwarded-For will not do: for a peer on loopback Envoy appends the host's own address to it.
        set_header(headers.CLIENT, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ]
    return HeaderMutation(mutations=Mutations(request_mutations=mutations))


def _claim_headers(gateway: Gateway) -> list[str]:
    tokens = (scheme for scheme in gateway.schemes if isinstance(scheme, JwtScheme))
    return sorted({name for scheme in tokens for name, _ in scheme.headers})
