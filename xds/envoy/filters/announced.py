"""Operation -> header_mutation: what every answer says of the version that was asked, refusals and kept answers as well.

Headers that a route adds itself reach neither what filters answer nor what the cache has kept, so a filter at the head of the
chain adds them; it is off for operations with nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from urllib.parse import quote

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.routed import Routed
from xds.envoy.successors import successor
from xds.envoy.typed import appended, set_header


def announced() -> HeaderMutation:
    """The filter's configuration: nothing but what routes say."""
    return HeaderMutation()


def per_route(routed: Routed) -> Any | None:
    """What the answers of an operation say."""
    found = tuple(fields(routed))
    return _said(found) if found else None


def fields(routed: Routed) -> Iterator[tuple[str, str]]:
    """The same as names and values; there may be several links."""
    native = routed.operation.native
    if native.version and native.version.varies:
        yield "vary", native.version.varies
    if native.deprecated:
        yield "deprecation", native.deprecated.field
    if native.sunset:
        yield "sunset", native.sunset.field
    if native.deprecated or native.sunset:
        yield from (("link", link) for link in _links(routed))


@cache
def varying(header: str) -> Any:
    """The same for a route that answers in the place of all versions."""
    return _said((("vary", header),))


def _links(routed: Routed) -> Iterator[str]:
    """RFC 9745, section 3; RFC 8594, section 6; RFC 5829, section 3.4."""
    native = routed.operation.native
    if native.migration:
        relations = filter(None, ("deprecation" * bool(native.deprecated), "sunset" * bool(native.sunset)))
        yield f'<{native.migration}>; rel="{" ".join(relations)}"'
    if found := successor(routed):
        title = f'; title="{found.title}"' if found.title else ""
        yield f'<{quote(found.target, safe=_URI)}>; rel="successor-version"{title}'


_URI = "!#$%&'()*+,/:;=?@[]~"
"""Signs of a URI that stand for themselves (RFC 3986, section 2)."""


@cache
def _said(found: tuple[tuple[str, str], ...]) -> Any:
    mutations = [_written(name, value) for name, value in found]
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations(response_mutations=mutations))))


def _written(name: str, value: str) -> Mutation:
    """The service may name links, and what it varies by, too."""
    return appended(name, value.replace("%", "%%")) if name in ("vary", "link") else set_header(name, value)
