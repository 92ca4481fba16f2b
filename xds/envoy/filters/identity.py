"""The filter that says who asks, in a header that limits and caches can count and divide by: `xds.headers.IDENTITY`.

A key's consumer is written by the auth filter; a token's subject is read here out of what jwt_authn verified; everybody else
is an address. It stands before whatever counts, and is off where nothing does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOptionHeaderAppendAction
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)

from xds import headers
from xds.envoy.codec import any_of, shared
from xds.envoy.counted import address
from xds.envoy.filters.jwt import METADATA, payload_key
from xds.envoy.names import tokens
from xds.envoy.routed import Routed
from xds.envoy.typed import changed, set_header
from xds.model.requirement import in_proxy

_SUBJECT = f"{headers.PREFIX}subject"
LENGTH = 64
"""Characters of a name that is counted by."""
_Action = HeaderValueOptionHeaderAppendAction


def identity() -> HeaderMutation:
    """The filter's configuration: what it does stands in the routes."""
    return HeaderMutation()


def per_route(routed: Routed) -> Message | None:
    """The subject of the token, for an operation that takes nothing else; otherwise the auth filter said who asks. Whoever
    is not known by name, as with a token without a subject, is an address. For a deprecated operation also whom its use is
    counted by.

    None, and the filter stays off, where nothing counts or divides by who asks.
    """
    schemes, deprecated = tokens(routed.operation.security), routed.operation.native.deprecated is not None
    if not _counts(routed) and not deprecated:
        return None
    named = schemes if not in_proxy(routed.operation) else ()
    return _subjects(named, schemes if deprecated else None, address(routed.profile))


def _counts(routed: Routed) -> bool:
    native, edge = routed.operation.native, routed.gateway.edge
    return bool(native.rate_limits or native.cache or edge.rate_limits or edge.plans)


@cache
def _subjects(schemes: tuple[str, ...], counted: tuple[str, ...] | None, otherwise: str) -> Message:
    mutations = [*_one_of(schemes), changed(headers.IDENTITY, f"addr:{otherwise}", _Action.ADD_IF_ABSENT)]
    if counted is not None:
        mutations.append(changed(headers.CALLER, f"%REQ({headers.CONSUMER}):{LENGTH}%", _Action.ADD_IF_ABSENT))
        mutations += [mutation for scheme in counted for mutation in _caller(scheme)]
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations(request_mutations=mutations))))


def _one_of(schemes: tuple[str, ...]) -> Iterator[Mutation]:
    """The identity by the last of several tokens that are there; of one scheme, without a header in between."""
    if len(schemes) == 1:
        yield from _subject(schemes[0], headers.IDENTITY)
        return
    for scheme in schemes:
        yield from _subject(scheme, _SUBJECT)
        yield set_header(headers.IDENTITY, f"%REQ({_SUBJECT})%")
        yield Mutation(remove=_SUBJECT)


def _subject(scheme: str, header: str) -> Iterator[Mutation]:
    """A header that comes out empty is not written, and a prefix only goes before one that is there."""
    yield set_header(header, f"%DYNAMIC_METADATA({METADATA}:{payload_key(scheme)}:sub)%")
    yield changed(header, "sub:" + scheme.replace("%", "%%") + f":%REQ({header})%", _Action.OVERWRITE_IF_EXISTS)


def _caller(scheme: str) -> Iterator[Mutation]:
    """The client that a token was issued to (RFC 9068, section 2.2; OpenID Connect Core, section 2, `azp`), else the scheme.
    Not the subject: there are as many of those as there are people."""
    for claim in ("client_id", "azp"):
        yield set_header(_SUBJECT, f"%DYNAMIC_METADATA({METADATA}:{payload_key(scheme)}:{claim}):{LENGTH}%")
        yield changed(_SUBJECT, f"client:%REQ({_SUBJECT})%", _Action.OVERWRITE_IF_EXISTS)
        yield changed(headers.CALLER, f"%REQ({_SUBJECT})%", _Action.ADD_IF_ABSENT)
        yield Mutation(remove=_SUBJECT)
    yield set_header(_SUBJECT, f"%DYNAMIC_METADATA({METADATA}:{payload_key(scheme)}:iss)%")
    yield changed(_SUBJECT, "token:" + scheme.replace("%", "%%"), _Action.OVERWRITE_IF_EXISTS)
    yield changed(headers.CALLER, f"%REQ({_SUBJECT})%", _Action.ADD_IF_ABSENT)
    yield Mutation(remove=_SUBJECT)
