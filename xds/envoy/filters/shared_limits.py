"""RateLimit -> ratelimit: limits that all proxies count together, in a service that is asked over gRPC.

All of an operation's limits that fail alike are asked for at once, so that a request waits once; those that refuse while the
service is away come first, so that a request that will be refused does not wait twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from betterproto2 import Message
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import (
    ApiVersion,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.config.ratelimit.v3 import RateLimitServiceConfig
from envoy_data_plane.envoy.config.route.v3 import RateLimit as Counted
from envoy_data_plane.envoy.config.route.v3 import (
    RateLimitAction,
    RateLimitActionGenericKey,
    RateLimitActionRequestHeaders,
    RateLimitHitsAddend,
)
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.envoy.extensions.filters.http.ratelimit.v3 import (
    RateLimit as Filter,
)
from envoy_data_plane.envoy.extensions.filters.http.ratelimit.v3 import (
    RateLimitPerRoute,
    RateLimitXRateLimitHeadersRfcVersion,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode

from xds.envoy import names
from xds.envoy.counted import SHARED_LIMIT, TOLD, costs, plan_shared, plan_value, sound_keys
from xds.envoy.filters.http_filter import Row
from xds.envoy.filters.local_limits import untold
from xds.envoy.routed import Routed
from xds.envoy.service_config import DOMAIN
from xds.envoy.typed import appended, changed, seconds, set_header
from xds.headers import IDENTITY
from xds.model import Gateway
from xds.native.rates import SHARED, RateLimit, owned

_REPORT = "x-ratelimit-limit"
"""Envoy's older field: the quota of the limit that is closest to refuse, a comma, and all of them."""

_FIRST = f"{SHARED_LIMIT}-first"
"""While limits that fail closed are asked for, where others come behind them: of a refusal it says whose it is."""


def limits_of(routed: Routed, closed: bool) -> tuple[RateLimit, ...]:
    """The shared limits of an operation that refuse, or do not, while the service is away, in the order of asking.

    Of those without room it is the first whose time Envoy tells: so the longest comes first, and a shadow, which keeps
    nobody waiting, behind all.
    """
    service = routed.gateway.edge.rate_limit
    if service is None:
        return ()
    own = (owned(limit, names.route(routed.version, routed.operation)) for limit in routed.operation.native.rate_limits)
    each = (limit for limit in (*routed.gateway.edge.rate_limits, *own) if limit.store == SHARED)
    found = (limit for limit in each if limit.fails_closed(service.closed) is closed)
    return tuple(sorted(found, key=lambda limit: (limit.shadow, -limit.seconds)))


def asks(gateway: Gateway, closed: bool) -> Filter:
    """The filter's configuration. Without a service no route turns it on, and the cluster that Envoy wants is any."""
    service = gateway.edge.rate_limit
    cluster = names.RATE_LIMIT if service else names.COMPANION
    return Filter(
        domain=DOMAIN,
        stat_prefix="closed" if closed else "open",
        timeout=seconds(service.timeout) if service else None,
        failure_mode_deny=closed,
        status_on_error=HttpStatus(code=StatusCode.ServiceUnavailable),
        enable_x_ratelimit_headers=RateLimitXRateLimitHeadersRfcVersion.DRAFT_VERSION_03,
        disable_x_envoy_ratelimited_header=True,
        rate_limit_service=RateLimitServiceConfig(
            grpc_service=GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=cluster)),
            transport_api_version=ApiVersion.V3,
        ),
    )


def counted(routed: Routed, closed: bool) -> Message | None:
    """What a request counts for, and what is told of it in the answer."""
    limits, plans = limits_of(routed, closed), plan_shared(routed, closed)
    if not limits and not plans:
        return None
    request = [mutation for index, limit in enumerate(limits) for mutation in _counted(index, limit, routed)]
    others = limits_of(routed, not closed), plan_shared(routed, not closed)
    if any(others):
        request.append(set_header(_FIRST, "1") if closed else Mutation(remove=_FIRST))
    first = next((limit.name for limit in limits if not limit.shadow), None)
    request += [set_header(SHARED_LIMIT, first)] if first else []
    for slot in range(plans):
        request += _counted_by_plan(len(limits) + slot, _place(closed, slot), first is None and slot == 0)
    response = [*_told(limits, plans, closed, (() if closed else others[0]), (0 if closed else others[1]))]
    return HeaderMutationPerRoute(mutations=Mutations(request_mutations=request, response_mutations=response))


def _place(closed: bool, slot: int) -> str:
    """What the auth program calls a shared limit of the consumer's plan."""
    return f"{'closed' if closed else 'open'}-{slot}"


def _counted(index: int, limit: RateLimit, routed: Routed) -> Iterator[Mutation]:
    header = f"{SHARED_LIMIT}-{index}"
    if limit.shadow:  # which never is the one that refused; those that fail closed may have written something
        yield from (Mutation(remove=f"{header}-{each}") for each in ("name", "quota"))
    else:
        yield set_header(f"{header}-name", limit.name)
        yield set_header(f"{header}-quota", f"{limit.limit}, ")
    yield from sound_keys(limit, routed, header)
    yield from costs(limit, routed, f"{header}-cost")


def _counted_by_plan(index: int, place: str, first: bool) -> Iterator[Mutation]:
    """Without a plan there is no bucket, and nothing is asked."""
    header = f"{SHARED_LIMIT}-{index}"
    for name, value in (("name", "name"), ("quota", "first"), ("bucket", "bucket")):
        yield Mutation(remove=f"{header}-{name}")
        yield set_header(f"{header}-{name}", plan_value(place, value))
    if first:
        yield set_header(SHARED_LIMIT, f"%REQ({header}-name)%")
    yield set_header(f"{header}-key-0", f"%REQ({IDENTITY})%")
    yield set_header(f"{header}-cost", "1")


def _told(
    limits: tuple[RateLimit, ...], plans: int, closed: bool, before: tuple[RateLimit, ...], plans_before: int
) -> Iterator[Mutation]:
    """`RateLimit-Policy` of all of them; `RateLimit` of the one that is closest, where the service was there to say so.

    `before` are those of the other filter, which may have refused: then nothing was asked here, and the answer is its.
    """
    if limits:
        yield appended(
            "ratelimit-policy", ", ".join(f'"{limit.name}";q={limit.limit};w={limit.seconds}' for limit in limits)
        )
    own, others = ([_place(each, slot) for slot in range(n)] for each, n in ((closed, plans), (True, plans_before)))
    for place in own:
        yield appended("ratelimit-policy", plan_value(place, "policy"))
    for place in (*own, *others):
        yield set_header(f"{TOLD}-{place}-name", plan_value(place, "name"))
        yield set_header(f"{TOLD}-{place}-quota", plan_value(place, "first"))
    name = _closest(limits, own)
    if before or others:
        name = f"('{_FIRST}' in request.headers ? {_closest(before, others)} : {name})"
    told = limits[0].name if len(limits) == 1 and not (plans or before or others) else f"%CEL({name})%"
    value = f'"{told}";r=%RESP(X-RATELIMIT-REMAINING)%;t=%RESP(X-RATELIMIT-RESET)%'
    # Envoy's CEL joins no texts: the field is written over the one that is there only if the service answered
    over = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS
    yield changed("x-ratelimit-reset", value, over)
    yield appended("ratelimit", "%RESP(X-RATELIMIT-RESET)%")
    yield from untold()
    yield from (Mutation(remove=f"{TOLD}-{place}-{each}") for place in (*own, *others) for each in ("name", "quota"))


def _closest(limits: tuple[RateLimit, ...], places: list[str]) -> str:
    """In CEL the name of the limit that Envoy's older field begins with the quota of: the first in the order of asking."""
    told = [f"{TOLD}-{place}" for place in places]
    name = f"'{limits[-1].name}'" if limits else f"response.headers['{told[0]}-name']"
    for limit in reversed([limit for limit in limits if limit.shadow]):
        name = _if_quota(limit, name)
    for header in reversed(told):
        held = f"response.headers['{_REPORT}'].startsWith(response.headers['{header}-quota'])"
        name = f"('{header}-quota' in response.headers && {held} ? response.headers['{header}-name'] : {name})"
    for limit in reversed([limit for limit in limits if not limit.shadow]):
        name = _if_quota(limit, name)
    return name


def _if_quota(limit: RateLimit, otherwise: str) -> str:
    return f"(response.headers['{_REPORT}'].startsWith('{limit.limit}, ') ? '{limit.name}' : {otherwise})"


def asked(routed: Routed, closed: bool) -> Message | None:
    """What of an operation's requests the service is asked."""
    limits, plans = limits_of(routed, closed), plan_shared(routed, closed)
    own = {shadow: [_asked(*at) for at in enumerate(limits) if at[1].shadow is shadow] for shadow in (False, True)}
    each = [*own[False], *(_asked_by_plan(len(limits) + slot) for slot in range(plans)), *own[True]]
    return RateLimitPerRoute(rate_limits=each) if each else None


def _asked(index: int, limit: RateLimit) -> Counted:
    header = f"{SHARED_LIMIT}-{index}"
    actions = [
        RateLimitAction(generic_key=RateLimitActionGenericKey(descriptor_key="limit", descriptor_value=limit.bucket))
    ]
    for part in range(len(limit.by)):
        read = RateLimitActionRequestHeaders(header_name=f"{header}-key-{part}", descriptor_key=f"key-{part}")
        actions.append(RateLimitAction(request_headers=read))
    return Counted(actions=actions, hits_addend=RateLimitHitsAddend(format=f"%REQ({header}-cost)%"))


def _asked_by_plan(index: int) -> Counted:
    header = f"{SHARED_LIMIT}-{index}"
    read = [
        RateLimitActionRequestHeaders(header_name=f"{header}-{name}", descriptor_key=key)
        for name, key in (("bucket", "limit"), ("key-0", "key-0"))
    ]
    actions = [RateLimitAction(request_headers=each) for each in read]
    return Counted(actions=actions, hits_addend=RateLimitHitsAddend(format=f"%REQ({header}-cost)%"))


def _rows(closed: bool) -> tuple[Row, Row]:
    """No listener names the service: its address may change."""
    return (
        Row(
            names.shared_counted(closed),
            lambda gateway, profile: HeaderMutation(),
            lambda routed: counted(routed, closed),
            off=True,
        ),
        Row(
            names.shared_limit(closed),
            lambda gateway, profile: asks(gateway, closed),
            lambda routed: asked(routed, closed),
            off=True,
            discovered=Filter,
        ),
    )


ROWS: tuple[Row, ...] = (*_rows(True), *_rows(False))
