"""Operation -> custom_response: the service's own 5xx with another body, where the contract words it (`service-error`).

What Envoy says itself (the service cannot be reached) is not touched. Envoy calls the filter work in progress; it is off
unless a contract asks for it.
"""

from __future__ import annotations

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import DataSource, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.filters.http.custom_response.v3 import CustomResponse
from envoy_data_plane.envoy.extensions.http.custom_response.local_response_policy.v3 import LocalResponsePolicy
from envoy_data_plane.envoy.type.matcher.v3 import (
    HttpResponseLocalReplyMatchInput,
    HttpResponseStatusCodeClassMatchInput,
)
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicatePredicateList,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherOnMatch,
    StringMatcher,
)

from xds.envoy import wordings
from xds.envoy.codec import any_of
from xds.envoy.filters import trace
from xds.envoy.routed import Routed
from xds.native.caching import cache_of


def service_errors() -> CustomResponse:
    """The filter's configuration: nothing but what routes say."""
    return CustomResponse()


def per_route(routed: Routed) -> CustomResponse | None:
    """What is said in the place of one operation's service. Behind a cache, where the gateway's own answers are not told from
    the service's, that is said before it."""
    return None if cache_of(routed.operation) else of_service(routed)


def of_service(routed: Routed) -> CustomResponse | None:
    """The same, wherever it is said."""
    text = wordings.service_error(routed.operation, routed.version.name) if routed.operation.native.errors else None
    if text is None:
        return None
    body = text["a"] + (trace.FORMAT + text["b"] if "b" in text else "")
    made = SubstitutionFormatString(text_format_source=DataSource(inline_string=body), content_type=text["type"])
    action = MatcherOnMatch(action=_extension("replace", LocalResponsePolicy(body_format=made)))
    own = [_is(HttpResponseStatusCodeClassMatchInput(), "5xx"), _is(HttpResponseLocalReplyMatchInput(), "false")]
    predicate = MatcherMatcherListPredicate(and_matcher=MatcherMatcherListPredicatePredicateList(predicate=own))
    matchers = [MatcherMatcherListFieldMatcher(predicate=predicate, on_match=action)]
    return CustomResponse(custom_response_matcher=Matcher(matcher_list=MatcherMatcherList(matchers=matchers)))


def _is(read: Message, value: str) -> MatcherMatcherListPredicate:
    single = MatcherMatcherListPredicateSinglePredicate(
        input=_extension("input", read), value_match=StringMatcher(exact=value)
    )
    return MatcherMatcherListPredicate(single_predicate=single)


def _extension(name: str, message: Message) -> TypedExtensionConfig:
    return TypedExtensionConfig(name=name, typed_config=any_of(message))
