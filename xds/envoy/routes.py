"""Gateway -> RouteConfiguration: a virtual host a domain, a matcher in each, a route an operation."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from envoy_data_plane.envoy.config.core.v3 import Metadata
from envoy_data_plane.envoy.config.route.v3 import (
    Decorator,
    DirectResponseAction,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherTreeMatchMap,
    MatcherOnMatch,
)

from xds import headers
from xds.envoy import credentials, names, wordings
from xds.envoy.actions import action
from xds.envoy.chain import per_route
from xds.envoy.codec import delimited, encode, entry
from xds.envoy.composed import composed, encoded, gathered
from xds.envoy.conditions import in_order, left_over, only_for
from xds.envoy.filters import addresses, announced, buffer, mock
from xds.envoy.kept import Kept, Methods, Offer, groups
from xds.envoy.login import with_logins
from xds.envoy.make import maker
from xds.envoy.matcher import matcher, matches
from xds.envoy.origin import ACTION
from xds.envoy.patches import SENT, patched
from xds.envoy.plain import PROTOCOL, plain
from xds.envoy.preflights import preflights, widest
from xds.envoy.profile import Profile
from xds.envoy.refused import listed, nowhere, only, refusal, refused, said_of, too_large, unasked, without_length
from xds.envoy.replaced import beside
from xds.envoy.routed import Routed, surroundings
from xds.envoy.successors import seen, successor
from xds.envoy.targets import redirect
from xds.envoy.typed import struct
from xds.envoy.versions import by_query, chosen, remainder, siblings, spoken, told, versioned
from xds.hardened import AUTHORITY
from xds.model import Gateway, JwtScheme, Operation, Service, Version
from xds.model.listeners import ClientCertificate
from xds.native.bases import bases_of
from xds.native.caching import cache_of
from xds.native.cors import Cors, cors_of
from xds.native.versions import Choice, Kind, choice_of


def routes(gateway: Gateway, profile: Profile) -> RouteConfiguration:
    """All routes of a gateway."""
    made = RouteConfiguration(
        name=names.ROUTES,
        virtual_hosts=[_virtual_host(domain, gateway, profile) for domain in domains(gateway)],
        request_headers_to_remove=internal(gateway),
        ignore_port_in_host_matching=True,
        typed_per_filter_config=_everywhere(gateway),
    )
    return gathered(made)


def _everywhere(gateway: Gateway) -> dict[str, Any]:
    """What holds for every request, also for those that no operation matches."""
    rule = addresses.everywhere(gateway.edge)
    return {names.ADDRESSES_FILTER: rule} if rule else {}


def domains(gateway: Gateway) -> tuple[str, ...]:
    """The domains of the virtual hosts. `*` is always one, so that no request goes without a route."""
    return (*sorted({host for service in gateway.services for host in service.hosts}), "*")


def services_at(domain: str, gateway: Gateway) -> tuple[Service, ...]:
    """The services that a domain offers: those that name it, and those that name none."""
    return tuple(s for s in gateway.services if not s.hosts or domain in s.hosts)


def internal(gateway: Gateway) -> list[str]:
    """The internal headers that requests have by now, and that no upstream sees."""
    claims = sorted(headers.claims_header(s.name) for s in gateway.schemes if isinstance(s, JwtScheme))
    return [
        headers.OPERATION,
        headers.TRACE,
        headers.IDENTITY,
        headers.AUTH,
        PROTOCOL,
        *claims,
        *_peer(gateway),
    ]


def _peer(gateway: Gateway) -> tuple[str, ...]:
    asking = (each.tls and each.tls.client is not ClientCertificate.NONE for each in gateway.listeners)
    return headers.PEER if any(asking) else ()


def _virtual_host(domain: str, gateway: Gateway, profile: Profile) -> VirtualHost:
    offered = [version for service in services_at(domain, gateway) for version in service.versions]
    inner = matcher(_groups(domain, offered, gateway, profile), nowhere(bases_of(services_at(domain, gateway))))
    return VirtualHost(
        name=names.virtual_host(domain), domains=[domain], matcher=sound_authority(with_logins(inner, gateway))
    )


def _groups(
    domain: str, offered: Sequence[Version], gateway: Gateway, profile: Profile
) -> MatcherMatcherTreeMatchMap | None:
    """The map of prefixes; of what did not change since the last time its bytes are taken, and no message is made."""
    if not any(version.operations for version in offered):
        return None

    def routed(operations: Sequence[Offer]) -> list[Routed]:
        return [Routed(version, operation, gateway, profile) for version, operation in operations]

    def anew() -> MatcherMatcherTreeMatchMap:
        return _new_map(map=groups(offered, methods))

    methods = Methods(
        lambda operations: _methods(routed(operations)), lambda operations: _remainder(routed(operations))
    )
    kept = kept_of(domain, offered, gateway, profile)
    return composed(MatcherMatcherTreeMatchMap, kept.entries(offered, methods), anew)


def kept_of(domain: str, offered: Sequence[Version], gateway: Gateway, profile: Profile) -> Kept:
    """What is kept for a virtual host from one lowering to the next, as long as all that its routes share is the same."""
    versions = tuple((v.service, v.name, v.upstream.traffic, choice_of(v)) for v in offered)
    return _kept(domain, versions, (surroundings(gateway, profile), seen(gateway)))


@lru_cache(maxsize=32)
def _kept(domain: str, versions: Hashable, around: Hashable) -> Kept:
    return Kept()


def sound_authority(inner: Matcher) -> Matcher:
    """Refuse authorities that Envoy, the policy and the upstream could read differently, then match."""
    unsound = MatcherMatcherListPredicate(not_matcher=matches(":authority", AUTHORITY))
    return Matcher(
        matcher_list=MatcherMatcherList(
            matchers=[MatcherMatcherListFieldMatcher(predicate=unsound, on_match=refusal(400))]
        ),
        on_no_match=MatcherOnMatch(matcher=inner),
    )


def _methods(by_method: Sequence[Routed]) -> MatcherOnMatch:
    """A path's routes, by version where versions share it, by method, and 405 for every other method."""
    if not versioned(by_method):
        return _listed([*preflights(by_method), *_every_route(by_method)], by_method)
    if by_query(by_method):  # a preflight has the query of the request that it is for
        return chosen(by_method, None, lambda each: _listed([*preflights(each), *_every_route(each)], each))
    first = list(preflights(by_method))
    return chosen(
        by_method, _listed(first, by_method) if first else None, lambda each: _listed(_every_route(each), each)
    )


def _listed(routes: list[Route], by_method: Sequence[Routed]) -> MatcherOnMatch:
    return listed(by_method[0].operation.path.text, routes)


def _remainder(by_method: Sequence[Routed]) -> MatcherOnMatch | None:
    """What is done with a request for a path that the version it names does not have; None for a path without versions."""
    if not versioned(by_method):
        return None
    known, own = siblings(by_method), widest(by_method)
    missing = listed("404", [refused(404, "", own, known[0].varies, said_of(by_method, 404))])
    return remainder(known, missing, listed("unknown-version", [_unknown(by_method[0], known, own)]))


def _unknown(routed: Routed, known: Sequence[Choice], own: Cors | None) -> Route:
    """400, or 406 where `Accept` chooses: the request names a version that there is not, or none and none is the default."""
    return Route(
        name=names.unknown_version(routed.version.service),
        match=RouteMatch(prefix="/"),
        direct_response=DirectResponseAction(status=406 if known[0].kind is Kind.MEDIA_TYPE else 400),
        decorator=Decorator(operation="unknown-version", propagate=False),
        metadata=Metadata(filter_metadata={names.METADATA: struct(told(routed.version.service, known))}),
        typed_per_filter_config=unasked(own, known[0].varies),
    )


def _every_route(by_method: Sequence[Routed]) -> list[Route]:
    allow = ", ".join(dict.fromkeys(routed.operation.method for routed in by_method))
    alone = not any(routed.operation.native.match or routed.operation.native.version for routed in by_method)
    each = (
        route
        for routed in in_order(by_method)
        for route in only_for(_routes(routed, alone), routed.operation.native.match)
    )
    own, varies = widest(by_method), _varies(by_method)
    nothing = refused(404, "", own, varies, said_of(by_method, 404))
    unmatched = (replace(nothing, match=only(method)) for method in left_over(by_method))
    return [*each, *unmatched, refused(405, allow, own, varies, said_of(by_method, 405))]


def _varies(by_method: Sequence[Routed]) -> str | None:
    """The header that the choice among a path's versions depends on."""
    choice = by_method[0].operation.native.version
    return choice.varies if choice else None


def _routes(routed: Routed, alone: bool) -> Iterator[Route]:
    """An operation's routes: a body that says it is too large is refused before it is sent, all else is forwarded. `alone`:
    no operation of the path asks for more than path and method."""
    operation = routed.operation
    about = _metadata(routed)
    if (limit := buffer.announced(routed)) is not None:
        yield _own(too_large(operation.method, limit, cors_of(operation)), routed, about)
    if buffer.must_announce(routed):
        yield _own(without_length(operation.method, cors_of(operation)), routed, about)
    route = _route(routed, about)
    if operation.plain:
        yield from plain(operation.plain, route, routed, alone=alone)
    yield route


_new_route, _new_decorator = maker(Route), maker(Decorator)
_new_map = maker(MatcherMatcherTreeMatchMap)


def _action(routed: Routed) -> RouteAction:
    return ACTION if cache_of(routed.operation) else action(routed)


def _route(routed: Routed, about: Metadata) -> Route:
    version, operation, sent = routed.version, routed.operation, redirect(routed)
    made = _new_route(
        name=names.judged(version, operation),
        match=only(operation.method),
        route=_action(routed) if sent is None else None,
        redirect=sent,
        metadata=about,
        decorator=_new_decorator(operation=names.span(operation), propagate=False),
        typed_per_filter_config=per_route(routed),
        request_headers_to_remove=credentials.spent(routed),
        request_headers_to_add=spoken(routed),
    )
    name, edge = names.route(version, operation), routed.gateway.edge
    if cache_of(operation):
        return patched("route", name, made, edge, lambda field: field not in SENT)
    return patched("route", name, made, edge)


def _metadata(routed: Routed) -> Metadata:
    """Written as bytes: as messages, these would be most of what is made for a route."""
    version, operation = routed.version, routed.operation
    members = (_known_member("digest", version.digest), *_names(version, operation))
    ending = _retirement(routed)
    replaced = beside(routed) if operation.native.errors else {}
    said = {**mock.metadata(operation), **wordings.metadata(operation, version.name, ending, replaced), **ending}
    more = encode(struct(said)) if said else b""
    return encoded(Metadata, entry(1, names.METADATA, b"".join((*members, more))))


def _retirement(routed: Routed) -> dict[str, str]:
    """What the refusal after a sunset names."""
    sunset = routed.operation.native.sunset
    if sunset is None:
        return {}
    following = successor(routed)
    return {"sunset": sunset.text} | ({"successor": following.shown} if following else {})


def _names(version: Version, operation: Operation) -> tuple[bytes, ...]:
    return (
        _member("operation", operation.id),
        _member("operation_id", operation.name),
        _known_member("service", version.service),
        _known_member("version", version.name),
    )


def _member(name: str, text: str) -> bytes:
    """A member of a Struct (field 1) whose Value is a string (field 3)."""
    return entry(1, name, delimited(3, text.encode()))


_known_member = lru_cache(maxsize=256)(_member)
"""What many routes hold."""


def _own(made: Route, routed: Routed, about: Metadata) -> Route:
    """The route with what all answers of the operation say and have in common; logs and metrics say whose it is."""
    common = {
        names.ANNOUNCED_FILTER: announced.per_route(routed),
        names.ADDRESSES_FILTER: addresses.per_route(routed) if routed.operation.native.sunset else None,
    }
    own = {name: filter_ for name, filter_ in common.items() if filter_ is not None}
    return _new_route(
        name=made.name,
        match=made.match,
        direct_response=made.direct_response,
        decorator=made.decorator,
        metadata=about,
        typed_per_filter_config={**made.typed_per_filter_config, **own},
    )
