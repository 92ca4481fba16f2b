"""RateLimit -> local_ratelimit: Envoy's own token buckets, one filter a limit of an operation.

A filter a limit, since only so is it known which one refused. In front of each stands one that writes down what the request
counts for, and behind it on the answer's way what is left. The buckets are found by quota, limit and key; all but the
quotas are wildcards, so that a new operation, or a limit that has a quota like another one's, changes no filter and starts
no count anew. What was not asked for longest makes room.

Routes and the filters' configurations arrive one after the other, so a route may name a quota that its filter does not know.
Envoy admits what no bucket is found for; a second count of every request, by its quota alone, refuses it instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache, partial

from betterproto2 import Message
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValueOptionHeaderAppendAction,
    RuntimeFractionalPercent,
)
from envoy_data_plane.envoy.config.route.v3 import (
    FilterConfig,
    RateLimitAction,
    RateLimitActionRequestHeaders,
    RateLimitHitsAddend,
)
from envoy_data_plane.envoy.config.route.v3 import RateLimit as Counted
from envoy_data_plane.envoy.extensions.common.ratelimit.v3 import (
    LocalRateLimitDescriptor,
    RateLimitDescriptorEntry,
    XRateLimitHeadersRfcVersion,
)
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit.v3 import LocalRateLimit
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType, TokenBucket
from envoy_data_plane.google.protobuf import Any

from xds.envoy import names
from xds.envoy.codec import shared
from xds.envoy.costs import constant
from xds.envoy.counted import costs, internal, internal_shared, key, plan_shared, planned
from xds.envoy.featured import featured
from xds.envoy.filters.http_filter import Row
from xds.envoy.routed import Routed
from xds.envoy.typed import appended, changed, set_header
from xds.headers import LIMIT
from xds.model import Gateway
from xds.native.plans import PER_PLAN
from xds.native.rates import LOCAL, PARTS, PER_GATEWAY, PER_OPERATION, Quotas, RateLimit, owned

SLOTS = PER_GATEWAY + PER_OPERATION
ALL = SLOTS + PER_PLAN
KEPT = 20_000
"""So many buckets are kept a quota; the one that was not asked for longest makes room."""

QUOTA, BUCKET, COST, WAIT = (f"{LIMIT}-{each}" for each in ("quota", "bucket", "cost", "wait"))
NONE = "none"
"""The quota of a request that a plan's limit is not for."""

_UNLIMITED = 4_294_967_295
_NEVER = timedelta(days=3650)
_REPORTED = ("limit", "remaining", "reset")


def limits_of(routed: Routed) -> tuple[RateLimit | None, ...]:
    """The local limits of an operation by slot: those for the whole gateway first, then its own in their order."""
    if not routed.operation.native.rate_limits and not routed.gateway.edge.rate_limits:
        return ()
    everywhere = [limit for limit in routed.gateway.edge.rate_limits if limit.store == LOCAL]
    own = [owned(limit, names.route(routed.version, routed.operation)) for limit in routed.operation.native.rate_limits]
    gap = [None] * (PER_GATEWAY - len(everywhere))
    return (*everywhere, *gap, *(limit for limit in own if limit.store == LOCAL))


def quota(limit: RateLimit) -> str:
    """What tells apart buckets that are filled differently, or found by another number of keys."""
    burst = f"+{limit.burst}" if limit.burst else ""
    return f"{limit.limit}/{limit.per}{burst}{'~' if limit.shadow else ''}*{len(limit.by)}"


def _limit_at(slot: int, routed: Routed) -> RateLimit | None:
    found = limits_of(routed)
    return found[slot] if slot < len(found) else None


def counted(slot: int, routed: Routed) -> Message | None:
    """What a request counts for, and what is told of it in the answer."""
    limit = _limit_at(slot, routed)
    if limit is None:
        return None
    fixed = constant(limit.cost)
    wait = (
        str(retry_after(limit, fixed))
        if fixed
        else f"%CEL(int(double(request.headers['{COST}']) * {rate(limit)}) + 1)%"
    )
    request = [
        set_header(LIMIT, limit.name),
        set_header(QUOTA, quota(limit)),
        *_bucket_of(limit, routed),
        *(Mutation(remove=f"{LIMIT}-key-{index}") for index in range(max(1, len(limit.by)), _parts(routed, slot))),
        *costs(limit, routed, COST),
        set_header(WAIT, wait),
    ]
    return HeaderMutationPerRoute(mutations=Mutations(request_mutations=request, response_mutations=list(told(limit))))


def _bucket_of(limit: RateLimit, routed: Routed) -> Iterator[Mutation]:
    """The limit and the first thing that it counts by are one header; a header each for what else there is."""
    mine = limit.bucket.replace("%", "%%")
    if not limit.by:
        yield set_header(BUCKET, mine)
        return
    yield from key(limit, 0, routed, BUCKET, f"{mine} ")
    for index in range(1, len(limit.by)):
        yield from key(limit, index, routed, f"{LIMIT}-key-{index}")


def _parts(routed: Routed, slots: int = SLOTS) -> int:
    """By how many things the limits in the first slots count at most."""
    return max((len(limit.by) for limit in limits_of(routed)[:slots] if limit), default=0)


def rate(limit: RateLimit) -> float:
    """Seconds that it takes until there is one more."""
    return limit.seconds / limit.limit


def retry_after(limit: RateLimit, cost: int) -> int:
    """After so many whole seconds there is room for a request of that cost, if nobody else takes it."""
    return max(1, math.ceil(cost * rate(limit)))


def told(limit: RateLimit) -> Iterator[Mutation]:
    """The fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), out of Envoy's older ones."""
    yield appended("ratelimit-policy", f'"{limit.name}";q={limit.limit};w={limit.seconds}')
    # Answers of the filters before this one pass here too, and Envoy told nothing of what it did not count: the member is
    # written over its field, which only then is there, and what comes out empty is not added.
    value = f'"{limit.name}";r=%RESP(X-RATELIMIT-REMAINING)%;t=%RESP(X-RATELIMIT-RESET)%'
    yield changed("x-ratelimit-reset", value, HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS)
    yield appended("ratelimit", "%RESP(X-RATELIMIT-RESET)%")
    yield from untold()


def untold() -> Iterator[Mutation]:
    """Envoy's older fields go."""
    yield from (Mutation(remove=f"x-ratelimit-{each}") for each in _REPORTED)


def buckets(slot: int, gateway: Gateway) -> LocalRateLimit:
    """The filter's configuration: a descriptor a quota, and nothing of which limits there are.

    The gateway's former quotas are of routes that may still be in force. The default bucket is for what has no quota at
    all, which no route sends: it holds as little as Envoy takes.
    """
    former = gateway.former.quotas[slot] if gateway.former.quotas else ()
    found = {quota(limit): limit for limit in (*former, *_at(slot, gateway))}
    none = [LocalRateLimitDescriptor(entries=[_said("quota", NONE)], token_bucket=_BOUNDLESS)] if slot >= SLOTS else []
    return LocalRateLimit(
        stat_prefix="local_limit",
        token_bucket=_bucket(1, 1, _NEVER),
        filter_enabled=_always(),
        filter_enforced=_always(),
        always_consume_default_token_bucket=False,
        max_dynamic_descriptors=KEPT,
        enable_x_ratelimit_headers=XRateLimitHeadersRfcVersion.DRAFT_VERSION_03,
        rate_limits=[_descriptor(), _known_at_all()],
        descriptors=[
            *(_quota(text, found[text]) for text in sorted(found)),
            *none,
            *_refused((*found, NONE) if none else found),
        ],
    )


def quotas(gateway: Gateway) -> Quotas:
    """What the routes of a gateway name, by slot; of limits only what tells quotas apart."""
    return tuple(tuple(found[text] for text in sorted(found)) for found in map(partial(_quotas, gateway), range(ALL)))


def _quotas(gateway: Gateway, slot: int) -> dict[str, RateLimit]:
    return {
        quota(each): RateLimit("", ("",) * len(each.by), each.limit, each.per, burst=each.burst, shadow=each.shadow)
        for each in _at(slot, gateway)
    }


def _at(slot: int, gateway: Gateway) -> Iterable[RateLimit]:
    if slot < PER_GATEWAY:
        everywhere = [limit for limit in gateway.edge.rate_limits if limit.store == LOCAL]
        return everywhere[slot : slot + 1]
    if slot >= SLOTS:
        return [limit for plan in gateway.edge.plans for limit in plan.local[slot - SLOTS : slot - SLOTS + 1]]
    every = (operation.native.rate_limits for operation in featured(gateway))
    local = (
        [limit for limit in limits if limit.store == LOCAL] for limits in {id(each): each for each in every}.values()
    )
    return [limits[slot - PER_GATEWAY] for limits in local if len(limits) > slot - PER_GATEWAY]


def _descriptor() -> Counted:
    read = [(QUOTA, "quota", False), (BUCKET, "limit", True)]
    read += [(f"{LIMIT}-key-{index}", f"key-{index}", True) for index in range(1, PARTS)]
    actions = [
        RateLimitAction(
            request_headers=RateLimitActionRequestHeaders(header_name=header, descriptor_key=key, skip_if_absent=skip)
        )
        for header, key, skip in read
    ]
    return Counted(actions=actions, hits_addend=RateLimitHitsAddend(format=f"%REQ({COST})%"))


_KNOWN = "known"


def _known_at_all() -> Counted:
    """The second count: two a request, so that a bucket of one never has room."""
    read = RateLimitActionRequestHeaders(header_name=QUOTA, descriptor_key=_KNOWN)
    return Counted(actions=[RateLimitAction(request_headers=read)], hits_addend=RateLimitHitsAddend(number=2))


def _refused(quotas: Iterable[str]) -> Iterator[LocalRateLimitDescriptor]:
    """Room for each quota that is known, and none for any other: a value that is written out goes before the wildcard."""
    for text in sorted(quotas):
        yield LocalRateLimitDescriptor(entries=[_said(_KNOWN, text)], token_bucket=_BOUNDLESS)
    yield LocalRateLimitDescriptor(entries=[RateLimitDescriptorEntry(key=_KNOWN)], token_bucket=_bucket(1, 1, _NEVER))


def _said(key: str, value: str) -> RateLimitDescriptorEntry:
    return RateLimitDescriptorEntry(key=key, value=value)


def _quota(text: str, limit: RateLimit) -> LocalRateLimitDescriptor:
    wild = ["limit", *(f"key-{index}" for index in range(1, len(limit.by)))]
    entries = [RateLimitDescriptorEntry(key="quota", value=text), *(RateLimitDescriptorEntry(key=key) for key in wild)]
    bucket = _bucket(limit.burst or limit.limit, limit.limit, timedelta(seconds=limit.seconds))
    return LocalRateLimitDescriptor(entries=entries, token_bucket=bucket, shadow_mode=limit.shadow)


def _bucket(most: int, fill: int, interval: timedelta) -> TokenBucket:
    return TokenBucket(max_tokens=most, tokens_per_fill=fill, fill_interval=interval)


_BOUNDLESS = _bucket(_UNLIMITED, _UNLIMITED, timedelta(milliseconds=50))


def _always() -> RuntimeFractionalPercent:
    all_ = FractionalPercent(numerator=100, denominator=FractionalPercentDenominatorType.HUNDRED)
    return RuntimeFractionalPercent(default_value=all_)


ON = shared(FilterConfig(config=Any()))
"""Turns a filter on that is off, with the configuration it has."""


def _row(slot: int) -> tuple[Row, Row]:
    return (
        Row(names.counted(slot), lambda gateway, profile: HeaderMutation(), lambda r: counted(slot, r), off=True),
        Row(
            names.local_limit(slot),
            lambda gateway, profile: buckets(slot, gateway),
            lambda routed: ON if _limit_at(slot, routed) else None,
            off=True,
            discovered=LocalRateLimit,
        ),
    )


def forget(routed: Routed) -> Message | None:
    """Take off what the limits were told."""
    limits = (*routed.operation.native.rate_limits, *routed.gateway.edge.rate_limits)
    if not limits and not planned(routed):
        return None
    plans = sum(plan_shared(routed, closed) for closed in (True, False))
    shared_ = sum(limit.store != LOCAL for limit in limits) + plans
    return _forgotten(_parts(routed), shared_)


@cache
def _forgotten(parts: int, count: int) -> Message:
    going = [Mutation(remove=name) for name in (*internal(parts), *internal_shared(count))]
    return shared(HeaderMutationPerRoute(mutations=Mutations(request_mutations=going)))


ROWS: tuple[Row, ...] = tuple(row for slot in range(SLOTS) for row in _row(slot))
FORGET = Row(names.LIMITS_FORGET_FILTER, lambda gateway, profile: HeaderMutation(), forget, off=True)
