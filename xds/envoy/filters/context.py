"""The filter that tells every later one which trace a request belongs to, and takes off what is only theirs to write.

It overwrites, so that whatever a client sent is gone. Delivered by ExtensionConfigDiscovery, since the names of the headers
that carry claims are settings. What only the companion reads is not here but in its question: most requests have none.

It is the last that an answer meets, whoever gave it, so it tells browsers to believe the media type of all of them.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption, HeaderValueOptionHeaderAppendAction
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation, Mutations

from xds import headers
from xds.envoy.typed import set_header
from xds.model import Gateway, JwtScheme

NOSNIFF = HeaderValueOption(
    header=HeaderValue(key="x-content-type-options", value="nosniff"),
    append_action=HeaderValueOptionHeaderAppendAction.ADD_IF_ABSENT,
)
"""No browser guesses a page out of JSON (Fetch, "X-Content-Type-Options header"), unless the answer says otherwise."""


def context(gateway: Gateway) -> HeaderMutation:
    """The filter's configuration. What carries verified claims to upstreams is taken off every request first."""
    mutations = [
        *(Mutation(remove=name) for name in _claim_headers(gateway)),
        set_header(headers.TRACE, "%TRACE_ID%"),
    ]
    answers = [Mutation(append=NOSNIFF)]
    return HeaderMutation(mutations=Mutations(request_mutations=mutations, response_mutations=answers))


def _claim_headers(gateway: Gateway) -> list[str]:
    tokens = (scheme for scheme in gateway.schemes if isinstance(scheme, JwtScheme))
    return sorted({name for scheme in tokens for name, _ in scheme.headers})
