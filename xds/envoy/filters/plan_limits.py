"""Plan -> the limits of whoever asks with a key: filters like those of operations, whose counts follow the consumer's plan.

The auth program writes what the consumer's plan counts, by filter, as metadata that no client can write (`table`). Without a
plan there is none of it: the request then has a quota of its own, with room for everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from betterproto2 import Message
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption, HeaderValueOptionHeaderAppendAction
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit.v3 import LocalRateLimit

from xds.envoy import names
from xds.envoy.counted import TOLD, internal, plan_value, planned
from xds.envoy.filters import local_limits
from xds.envoy.filters.http_filter import Row
from xds.envoy.routed import Routed
from xds.envoy.typed import appended, set_header
from xds.headers import IDENTITY, LIMIT
from xds.native.edge import Edge
from xds.native.plans import PER_PLAN, most
from xds.native.rates import RateLimit


def table(edge: Edge) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Plan -> filter -> what is written down for it, as the auth program has it."""
    usually = edge.rate_limit.closed if edge.rate_limit else False
    found: dict[str, Mapping[str, Mapping[str, str]]] = {}
    for plan in edge.plans:
        lists = {"local": plan.local, **{_word(c): plan.shared(c, usually) for c in (True, False)}}
        found[plan.name] = {
            f"{word}-{slot}": _written(limit) for word, limits in lists.items() for slot, limit in enumerate(limits)
        }
    return found


def _word(closed: bool) -> str:
    return "closed" if closed else "open"


def _written(limit: RateLimit) -> dict[str, str]:
    return {
        "name": limit.name,
        "bucket": limit.bucket,
        "quota": local_limits.quota(limit),
        "first": f"{limit.limit}, ",
        "wait": str(local_limits.retry_after(limit, 1)),
        "policy": f'"{limit.name}";q={limit.limit};w={limit.seconds}',
    }


def _on(slot: int, routed: Routed) -> bool:
    return planned(routed) and slot < most(plan.local for plan in routed.gateway.edge.plans)


def counted(slot: int, routed: Routed) -> Message | None:
    """What a request counts for; of the name, a header that is overwritten where it is."""
    if not _on(slot, routed):
        return None
    value = partial(plan_value, f"local-{slot}")
    request = [
        *(Mutation(remove=name) for name in internal()),
        set_header(local_limits.QUOTA, local_limits.NONE),
        set_header(local_limits.QUOTA, value("quota")),
        set_header(LIMIT, value("name")),
        set_header(local_limits.BUCKET, value("bucket")),
        set_header(local_limits.WAIT, value("wait")),
        set_header(local_limits.COST, "1"),
        _over(local_limits.BUCKET, f"%REQ({local_limits.BUCKET})% %REQ({IDENTITY})%"),
    ]
    left = f'"{value("name")}";r=%RESP(X-RATELIMIT-REMAINING)%;t=%RESP(X-RATELIMIT-RESET)%'
    response = [
        appended("ratelimit-policy", value("policy")),
        set_header(TOLD, value("name")),
        _over(TOLD, left),
        appended("ratelimit", f"%CEL({_COUNTED} ? response.headers['{TOLD}'] : '')%"),
        Mutation(remove=TOLD),
        *local_limits.untold(),
    ]
    return HeaderMutationPerRoute(mutations=Mutations(request_mutations=request, response_mutations=response))


_COUNTED = f"'{TOLD}' in response.headers && 'x-ratelimit-reset' in response.headers"
"""Answers of the filters before pass here too: of what was not counted nothing is told."""


def _over(name: str, value: str) -> Mutation:
    action = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS
    return Mutation(append=HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action))


def _row(number: int) -> tuple[Row, Row]:
    slot = local_limits.SLOTS + number
    return (
        Row(names.counted(slot), lambda gateway, profile: HeaderMutation(), partial(counted, number), off=True),
        Row(
            names.local_limit(slot),
            lambda gateway, profile: local_limits.buckets(slot, gateway),
            lambda routed: local_limits.ON if _on(number, routed) else None,
            off=True,
            discovered=LocalRateLimit,
        ),
    )


ROWS: tuple[Row, ...] = tuple(row for number in range(PER_PLAN) for row in _row(number))
