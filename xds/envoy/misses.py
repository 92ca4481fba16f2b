"""Gateway -> the routes of what the cache has not got: of each operation with a cache one, known by its name alone.

What comes here was judged by its route at the edge and may have been changed since, so nothing that a request says chooses here
but the name that the filter before the cache wrote. What has none, or one that is not known, is refused.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from envoy_data_plane.envoy.config.core.v3 import Metadata
from envoy_data_plane.envoy.config.route.v3 import Decorator, Route, RouteConfiguration, VirtualHost
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.type.matcher.v3 import Matcher, MatcherMatcherTree, MatcherMatcherTreeMatchMap, MatcherOnMatch

from xds.envoy import credentials, names, wordings
from xds.envoy.actions import action
from xds.envoy.codec import any_of, encode
from xds.envoy.composed import Part, Token, composed, gathered
from xds.envoy.featured import featured_of
from xds.envoy.filters import cache, rewritten, service_errors, transcoder
from xds.envoy.make import maker
from xds.envoy.matcher import header_input
from xds.envoy.patches import SENT, patched
from xds.envoy.profile import Profile
from xds.envoy.refused import listed, only, refusal
from xds.envoy.routed import Routed, surroundings
from xds.envoy.splits import clusters_of
from xds.envoy.successors import seen
from xds.envoy.typed import struct
from xds.envoy.versions import spoken
from xds.model import Cached, Gateway, Operation
from xds.native.caching import cache_of
from xds.native.versions import choice_of


def misses(gateway: Gateway, profile: Profile, removed: list[str]) -> RouteConfiguration:
    """The routes of the origin listener. `removed` are the headers that no upstream sees."""
    former = {name: _former(each, gateway, profile) for name, each in gateway.former.cached.items()}
    parts = [*_kept_of(gateway, profile).parts(_cached(gateway, profile))]
    parts += [Part(Token(), encode(_map(map={name: action}))) for name, action in former.items()]

    def anew() -> MatcherMatcherTreeMatchMap:
        now = {name_of(routed): listed(name_of(routed), [_route(routed)]) for routed in _cached(gateway, profile)}
        return _map(map={**now, **former})

    known = _tree(input=header_input(cache.ASKED), exact_match_map=composed(MatcherMatcherTreeMatchMap, parts, anew))
    matcher = _matcher(matcher_tree=known, on_no_match=refusal(500))
    host = VirtualHost(name=names.virtual_host("*"), domains=["*"], matcher=matcher)
    return gathered(RouteConfiguration(name=names.MISSES, virtual_hosts=[host], request_headers_to_remove=removed))


_map, _tree, _matcher = maker(MatcherMatcherTreeMatchMap), maker(MatcherMatcherTree), maker(Matcher)


def _cached(gateway: Gateway, profile: Profile) -> Iterator[Routed]:
    for service in gateway.services:
        for version in service.versions:
            for operation in featured_of(version):
                if cache_of(operation):
                    yield Routed(version, operation, gateway, profile)


def _former(each: Cached, gateway: Gateway, profile: Profile) -> MatcherOnMatch:
    """Where requests go on that were under way when their operation had a cache no more, or was no more; 404 if the
    service's version went with it."""
    routed = Routed(each.version, each.operation, each.gateway, profile)
    there = {names.cluster(version) for service in gateway.services for version in service.versions}
    return listed(name_of(routed), [_route(routed)]) if clusters_of(routed) <= there else refusal(404)


def name_of(routed: Routed) -> str:
    """What the filter before the cache writes: the operation's name, whatever its contract says by now."""
    return names.route(routed.version, routed.operation)


def _route(routed: Routed) -> Route:
    """It names no digest: nothing is judged here."""
    version, operation = routed.version, routed.operation
    said = {
        "operation": operation.id,
        "operation_id": operation.name,
        "service": version.service,
        "version": version.name,
        **wordings.metadata(operation, version.name),
    }
    filters = {
        names.CACHE_RULE_FILTER: cache.rule(routed),
        names.SERVICE_ERRORS_FILTER: service_errors.of_service(routed),
        names.REWRITTEN_FILTER: rewritten.of_service(routed),
        names.TRANSCODER_FILTER: transcoder.of_service(routed),
    }
    made = Route(
        name=name_of(routed),
        match=only(operation.method),
        route=action(routed),
        metadata=Metadata(filter_metadata={names.METADATA: struct(said)}),
        decorator=Decorator(operation=names.span(operation), propagate=False),
        typed_per_filter_config={
            n: m if isinstance(m, Any) else any_of(m) for n, m in filters.items() if m is not None
        },
        request_headers_to_remove=credentials.spent(routed),
        request_headers_to_add=spoken(routed),
    )
    return patched("route", made.name, made, routed.gateway.edge, SENT.__contains__)


@dataclass(slots=True)
class _Kept:
    """What was encoded last, by name, with the operation that it was made of: the same object if that did not change."""

    known: dict[str, tuple[Operation, bool, Part]] = field(default_factory=dict)

    def parts(self, each: Iterator[Routed]) -> Iterator[Part]:
        before, self.known = self.known, {}
        for routed in each:
            name, streamed = name_of(routed), routed.streamed
            entry = before.get(name)
            if entry is None or entry[0] is not routed.operation or entry[1] is not streamed:
                data = encode(_map(map={name: listed(name, [_route(routed)])}))
                entry = routed.operation, streamed, Part(Token(), data)
            self.known[name] = entry
            yield entry[2]


def _kept_of(gateway: Gateway, profile: Profile) -> _Kept:
    versions = tuple(
        (v.service, v.name, v.upstream.traffic, choice_of(v)) for service in gateway.services for v in service.versions
    )
    return _kept(versions, (surroundings(gateway, profile), seen(gateway)))


@lru_cache(maxsize=32)
def _kept(versions: Hashable, around: Hashable) -> _Kept:
    return _Kept()
