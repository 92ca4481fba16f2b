"""The HTTP filters in the order in which a request meets them; responses meet them the other way round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from betterproto2 import Message
from envoy_data_plane.envoy.extensions.filters.http.cache_v2.v3 import CacheV2Config
from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import Cors
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtAuthentication
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google.protobuf import Any

from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.discovery import discovered
from xds.envoy.filters import (
    addresses,
    announced,
    auth,
    bodiless,
    buffer,
    cache,
    companion,
    compression,
    context,
    cookies,
    cors,
    fault,
    hashed,
    identity,
    jwt,
    local_limits,
    login,
    mock,
    plan_limits,
    query,
    rewritten,
    service_errors,
    session,
    shared_limits,
    shed,
    trace,
    transcoder,
    transforms,
    usage,
    verdict,
    verified,
)
from xds.envoy.filters.http_filter import Row, nothing
from xds.envoy.profile import Profile
from xds.envoy.routed import Routed
from xds.model import Gateway

CHAIN: tuple[Row, ...] = (
    # first: all others read its headers
    Row(names.CONTEXT_FILTER, lambda gateway, profile: context.context(gateway), discovered=HeaderMutation),
    Row(
        names.TRACE_FILTER, lambda gateway, profile: trace.trace()
    ),  # before whatever may refuse: refusals name the trace
    Row(names.COOKIES_FILTER, lambda gateway, profile: cookies.cookies()),  # before whatever reads cookies
    # before whatever may answer: all answers say it
    Row(names.ANNOUNCED_FILTER, lambda gateway, profile: announced.announced(), announced.per_route, off=True),
    # before whatever may refuse: browsers read no refusal without its headers, and a preflight brings no credentials
    Row(names.CORS_FILTER, lambda gateway, profile: Cors(), cors.per_route, off=True),
    Row(
        names.CORS_ANSWER_FILTER, lambda gateway, profile: cors.answer(), cors.answer_per_route, off=True
    ),  # right behind cors: its mutations of the answer come before the headers of that
    # before everything that costs something
    Row(names.ADDRESSES_FILTER, lambda gateway, profile: addresses.addresses(), addresses.per_route, off=True),
    # before everything that costs something or asks somebody
    Row(names.FAULT_FILTER, lambda gateway, profile: fault.fault(), fault.per_route, off=True),
    # before jwt, which verifies the token that it puts into the request
    Row(names.LOGIN_FILTER, lambda gateway, profile: login.login(), login.per_route, off=True),
    Row(names.SESSION_FILTER, lambda gateway, profile: session.session(), session.per_route, off=True),
    Row(
        names.JWT_FILTER,
        lambda gateway, profile: jwt.jwt(gateway),
        jwt.per_route,
        discovered=JwtAuthentication,
    ),
    # right behind jwt, whose metadata it reads
    Row(
        names.VERIFIED_FILTER,
        lambda gateway, profile: verified.verified(gateway),
        verified.per_route,
        off=True,
        discovered=Rbac,
    ),
    # behind jwt, whose verified claims it reads; a Lua error lets requests through, so the one behind it refuses
    Row(names.AUTH_FILTER, lambda gateway, profile: auth.auth(gateway), auth.per_route, off=True, discovered=Lua),
    Row(names.VERDICT_FILTER, lambda gateway, profile: verdict.verdict(), verdict.per_route, off=True),
    # behind everything that tells who asks, before everything that counts or divides by it
    Row(names.IDENTITY_FILTER, lambda gateway, profile: identity.identity(), identity.per_route, off=True),
    Row(names.USAGE_FILTER, lambda gateway, profile: usage.usage(), usage.per_route, off=True),  # right behind identity
    # behind everything that tells who asks, before the companion, so that no flood reaches it
    *local_limits.ROWS,
    *plan_limits.ROWS,  # the same for plans: what is theirs counts over all operations
    *shared_limits.ROWS,  # behind the local ones: what those refuse need not be asked
    local_limits.FORGET,
    # where it finds that nobody need be asked, the next one is not
    Row(names.BODILESS_FILTER, lambda gateway, profile: bodiless.bodiless(), off=True),
    Row(names.COMPANION_FILTER, lambda gateway, profile: companion.companion(profile), companion.per_route),
    # behind everything that judges: a refused request says nothing of the service
    Row(names.SHED_FILTER, lambda gateway, profile: shed.shed(), shed.per_route, off=True),
    # where the companion would hold the body back
    Row(names.BUFFER_FILTER, lambda gateway, profile: buffer.buffer(profile), buffer.per_route, off=True),
    # before the cache and whatever words answers: those are kept and changed as they are, and compressed last
    *compression.ROWS,
    Row(
        names.SERVICE_ERRORS_FILTER,
        lambda gateway, profile: service_errors.service_errors(),
        service_errors.per_route,
        off=True,
    ),  # outside of what changes the answer: its own is nobody's to change
    # behind everything that judges: what was judged is the request as it came
    Row(names.QUERY_FILTER, lambda gateway, profile: query.query(), query.per_route, off=True),
    Row(names.TRANSFORMS_FILTER, lambda gateway, profile: transforms.transforms(), transforms.per_route, off=True),
    Row(names.MOCK_FILTER, lambda gateway, profile: mock.mock(), mock.per_route, off=True),  # in the service's place
    # behind what verifies tokens; the router chooses the endpoint
    Row(names.HASHED_FILTER, lambda gateway, profile: hashed.hashed(), hashed.per_route, off=True),
    # before the cache: why a miss failed goes no further than to the log
    Row(names.CACHE_CODE_FILTER, lambda gateway, profile: cache.code(), cache.turned_on, off=True),
    # behind everything that judges and changes requests: filters behind the cache see nothing of what is in it
    Row(names.CACHE_HELD_FILTER, lambda gateway, profile: cache.held(), cache.held_per_route, off=True),
    Row(names.CACHE_KEY_FILTER, lambda gateway, profile: cache.key(), cache.key_per_route, off=True),
    Row(names.CACHE_FILTER, cache.config, cache.turned_on, off=True, discovered=CacheV2Config),
    # last: everything before them sees the request as the contract has it
    Row(names.REWRITTEN_FILTER, lambda gateway, profile: rewritten.rewritten(), rewritten.per_route, off=True),
    Row(names.TRANSCODER_FILTER, lambda gateway, profile: transcoder.transcoder(), transcoder.per_route, off=True),
    Row(names.ROUTER_FILTER, lambda gateway, profile: Router(suppress_envoy_headers=True)),
)
"""Every filter is always there, so that a contract's change never drains connections; see `Row.off`."""


_BY_NAME = sorted((row for row in CHAIN if row.per_route is not nothing), key=lambda row: row.name)
"""The filters that operations may have a configuration of their own for."""


def filters(gateway: Gateway, profile: Profile, own: Sequence[HttpFilter] = ()) -> list[HttpFilter]:
    """The chain of the connection manager. `own` are those of one listener: behind the trace, which refusals name."""
    made = [_filter(row, gateway, profile) for row in CHAIN]
    place = 1 + next(number for number, row in enumerate(CHAIN) if row.name == names.TRACE_FILTER)
    return [*made[:place], *own, *made[place:]]


def redirecting(gateway: Gateway, profile: Profile, own: Sequence[HttpFilter] = ()) -> list[HttpFilter]:
    """The chain of a listener that answers everything with a redirect: nothing is judged there."""
    kept = (names.CONTEXT_FILTER, names.TRACE_FILTER, names.ROUTER_FILTER)
    made = [_filter(row, gateway, profile) for row in CHAIN if row.name in kept]
    return [*made[:-1], *own, made[-1]]


def _filter(row: Row, gateway: Gateway, profile: Profile) -> HttpFilter:
    if row.discovered is not None:
        return HttpFilter(name=row.name, config_discovery=discovered(row.discovered), disabled=row.off)
    return HttpFilter(name=row.name, typed_config=any_of(row.config(gateway, profile)), disabled=row.off)


def extensions(gateway: Gateway, profile: Profile) -> Iterator[tuple[str, Message]]:
    """Name and configuration of each filter that is delivered by itself."""
    for row in CHAIN:
        if row.discovered is not None:
            yield row.name, row.config(gateway, profile)


def per_route(routed: Routed) -> dict[str, Any]:
    """The configurations of one operation's route, by filter."""
    found = ((row.name, row.per_route(routed)) for row in _BY_NAME)
    return {name: m if isinstance(m, Any) else any_of(m) for name, m in found if m is not None}
