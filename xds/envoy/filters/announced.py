"""Operation -> header_mutation: what every answer says of the version that was asked, refusals and kept answers as well.

Headers that a route adds itself reach neither what filters answer nor what the cache has kept, so a filter at the head of the
chain adds them; it is off for operations with nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from urllib.parse import quote

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
    native = routed.operation.native
    varies = native.version.varies if native.version else None
    deprecated = native.deprecated.field if native.deprecated else None
    sunset = native.sunset.field if native.sunset else None
    if deprecated is None and sunset is None:
        return _said(varies) if varies else None
    return _said(varies, deprecated, sunset, tuple(_links(routed)))


@cache
def varying(header: str) -> Any:
    """The same for a route that answers in the place of all versions."""
    return _said(header)


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
def _said(
    varies: str | None, deprecated: str | None = None, sunset: str | None = None, links: tuple[str, ...] = ()
) -> Any:
    mutations = [appended("vary", varies)] if varies else []
    mutations += [set_header("deprecation", deprecated)] if deprecated else []
    mutations += [set_header("sunset", sunset)] if sunset else []
    mutations += [appended("link", link.replace("%", "%%")) for link in links]
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations(response_mutations=mutations))))
