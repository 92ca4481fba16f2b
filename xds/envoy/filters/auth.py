"""Scheme, Operation -> the Lua filter that judges credentials of all kinds together, where a token alone will not do.

Delivered by ExtensionConfigDiscovery: keys come and go, and the listener stays. jwt_authn, before it, has verified what tokens
there are; the verdict filter, behind it, refuses whatever this one did not let pass, also where it failed.
"""

from __future__ import annotations

from functools import lru_cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute

from xds.envoy.codec import any_of, shared
from xds.envoy.filters.companion import asked
from xds.envoy.filters.jwt import token_key
from xds.envoy.filters.plan_limits import table
from xds.envoy.routed import Routed
from xds.envoy.typed import struct
from xds.model import Alternative, Gateway, JwtScheme, Scheme, SchemeKind
from xds.model.requirement import in_proxy
from xds.program.auth import challenge, program, requirement


def auth(gateway: Gateway) -> Lua:
    """The filter's configuration: one program for all operations, with the hashes of all keys and what their plans count."""
    code = DataSource(inline_string=program(gateway.schemes, table(gateway.edge)))
    return Lua(default_source_code=code, clear_route_cache=False, stat_prefix="auth")


def per_route(routed: Routed) -> Message | None:
    """What an operation asks for; None where jwt_authn knows all of it."""
    return _required(routed, later=asked(routed.operation))


def alone(routed: Routed) -> Message | None:
    """The same for requests that nobody is asked about behind this filter."""
    return _required(routed, later=False)


def _required(routed: Routed, *, later: bool) -> Message | None:
    operation = routed.operation
    if not in_proxy(operation):
        return None
    named = {c.scheme for alternative in operation.security for c in alternative.credentials}
    schemes = tuple(scheme for scheme in routed.gateway.schemes if scheme.name in named)
    return _context(operation.security, schemes, later)


@lru_cache(maxsize=4096)
def _context(alternatives: tuple[Alternative, ...], schemes: tuple[Scheme, ...], later: bool) -> Message:
    """`later`: the companion is asked anyway, and refuses for lack of a scope once the contract's checks have answered."""
    by_name = {scheme.name: scheme for scheme in schemes}
    tokens = all(c.kind is SchemeKind.JWT for alternative in alternatives for c in alternative.credentials)
    keys = {name: token_key(name) for name, scheme in by_name.items() if isinstance(scheme, JwtScheme)}
    context = {
        "requirement": requirement(alternatives, by_name, keys),
        "challenge": challenge(alternatives),
        "tokens": "1" if tokens else "0",
        "later": "1" if later else "0",
    }
    return shared(any_of(LuaPerRoute(filter_context=struct(context))))
