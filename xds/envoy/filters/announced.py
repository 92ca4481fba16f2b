"""Operation -> header_mutation: what every answer says of the version that was asked, refusals and kept answers as well.

Headers that a route adds itself reach neither what filters answer nor what the cache has kept, so a filter at the head of the
chain adds them; it is off for operations with nothing to say.
"""

from __future__ import annotations

from functools import cache

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption, HeaderValueOptionHeaderAppendAction
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.routed import Routed


def announced() -> HeaderMutation:
    """The filter's configuration: nothing but what routes say."""
    return HeaderMutation()


def per_route(routed: Routed) -> Any | None:
    """What the answers of an operation say."""
    choice = routed.operation.native.version
    varies = choice.varies if choice else None
    return _said(varies) if varies else None


@cache
def varying(header: str) -> Any:
    """The same for a route that answers in the place of all versions."""
    return _said(header)


@cache
def _said(varies: str | None) -> Any:
    mutations = [appended("vary", varies)] if varies else []
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations(response_mutations=mutations))))


def appended(name: str, value: str) -> Mutation:
    """The mutation that adds a header beside others of its name."""
    action = HeaderValueOptionHeaderAppendAction.APPEND_IF_EXISTS_OR_ADD
    return Mutation(append=HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action))
