"""Cors -> Envoy's cors filter, and the filter behind it that leaves its headers to it alone.

Envoy's filter only adds: an `access-control-allow-origin: *` of the service would reach the pages it refuses, and it never
says that the answer depends on the origin. It does nothing on routes that answer directly or redirect, so those (405, 413)
have headers of their own.
"""

from __future__ import annotations

from functools import cache

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption, HeaderValueOptionHeaderAppendAction
from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import CorsPolicy
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.routed import Routed
from xds.envoy.typed import set_header
from xds.native.cors import ANY, Cors, cors_of

FAMILY = "access-control-"


def per_route(routed: Routed) -> Any | None:
    """What the filter does with an operation's own requests: it marks the answers that the page's origin may read."""
    own = cors_of(routed.operation)
    return _answers(own) if own else None


@cache
def _answers(own: Cors) -> Any:
    return shared(any_of(_policy(own, expose_headers=", ".join(own.expose))))


@cache
def preflight(own: Cors, methods: str, names: str) -> Any:
    """What the filter answers a preflight with; one from an origin that is refused gets 200 without any of its headers."""
    policy = _policy(
        own,
        allow_methods=methods,
        allow_headers=names,
        max_age="" if own.max_age is None else str(own.max_age),
        forward_not_matching_preflights=False,
    )
    return shared(any_of(policy))


def _policy(own: Cors, **more: str | bool) -> CorsPolicy:
    matchers = [StringMatcher(exact=origin) for origin in own.exact]
    matchers += [StringMatcher(safe_regex=RegexMatcher(regex=pattern)) for pattern in own.patterns]
    if ANY in own.origins:
        matchers = [StringMatcher(safe_regex=RegexMatcher(regex=".*"))]
    return CorsPolicy(
        allow_origin_string_match=matchers,
        allow_credentials=True if own.credentials else None,
        **more,  # type: ignore[arg-type]
    )


def answer() -> HeaderMutation:
    """The filter behind: whatever the service says of CORS is taken off before the cors filter adds its own."""
    family = HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=FAMILY, ignore_case=True))
    return HeaderMutation(mutations=Mutations(response_mutations=[Mutation(remove_on_match=family), _vary()]))


def answer_per_route(routed: Routed) -> Any | None:
    """The filter runs for operations with CORS; where the answer is a redirect, cors adds nothing."""
    own = cors_of(routed.operation)
    if own is None:
        return None
    return direct(own) if routed.operation.native.redirect else _turned_on()


@cache
def _turned_on() -> Any:
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations())))


@cache
def direct(own: Cors) -> Any:
    """The filter behind, on a route that answers directly: the headers that Envoy's cors filter does not add there."""
    origin = "request.headers['origin']"
    allowed = " || ".join(_condition(origin, own))
    mutations = [set_header(f"{FAMILY}allow-origin", f"%CEL({allowed} ? {origin} : '')%")]
    if own.credentials:
        mutations.append(set_header(f"{FAMILY}allow-credentials", f"%CEL({allowed} ? 'true' : '')%"))
    if own.expose:
        # a header's name may have an apostrophe, and no quotation mark
        mutations.append(set_header(f"{FAMILY}expose-headers", f'%CEL({allowed} ? "{", ".join(own.expose)}" : "")%'))
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations(response_mutations=mutations))))


def _condition(origin: str, own: Cors) -> list[str]:
    if ANY in own.origins:
        return ["true"]
    exact = [f"{origin} == '{each}'" for each in own.exact]
    return exact + [f"{origin}.matches('^{pattern}$')" for pattern in own.patterns]


def _vary() -> Mutation:
    action = HeaderValueOptionHeaderAppendAction.APPEND_IF_EXISTS_OR_ADD
    return Mutation(append=HeaderValueOption(header=HeaderValue(key="vary", value="origin"), append_action=action))
