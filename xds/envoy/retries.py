"""Routed -> RetryPolicy: when the service is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.config.route.v3 import RetryPolicy, RetryPolicyRetryBackOff, RetryPolicyRetryHostPredicate
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate

from xds.envoy.codec import any_of
from xds.envoy.routed import Routed
from xds.envoy.typed import seconds
from xds.native.retries import Retries

OTHER_HOSTS = 3
"""How often an endpoint that was tried already is passed over when the next attempt's is chosen."""


def retries(routed: Routed) -> Mapping[str, Any]:
    """The field `retry_policy` of a RouteAction. Clients cannot ask for retries: `x-envoy-*` is stripped at the edge."""
    wanted = routed.operation.native.retries
    allowed = wanted and wanted.of(routed.operation)
    return {"retry_policy": _policy(allowed)} if allowed else {}


def _policy(allowed: Retries) -> RetryPolicy:
    conditions = (*allowed.on, "retriable-status-codes") if allowed.statuses else allowed.on
    other = RetryPolicyRetryHostPredicate(
        name="envoy.retry_host_predicates.previous_hosts", typed_config=any_of(PreviousHostsPredicate())
    )
    return RetryPolicy(
        retry_on=",".join(conditions),
        num_retries=allowed.attempts,
        per_try_timeout=None if allowed.per_try is None else seconds(allowed.per_try),
        retriable_status_codes=list(allowed.statuses),
        retry_back_off=_back_off(allowed),
        retry_host_predicate=[other],
        host_selection_retry_max_attempts=OTHER_HOSTS,
    )


def _back_off(allowed: Retries) -> RetryPolicyRetryBackOff | None:
    if allowed.base is None:
        return None
    longest = None if allowed.longest is None else seconds(allowed.longest)
    return RetryPolicyRetryBackOff(base_interval=seconds(allowed.base), max_interval=longest)
