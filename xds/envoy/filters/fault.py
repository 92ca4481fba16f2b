"""Operation -> fault: delays and refusals on purpose, before anything else is asked."""

from __future__ import annotations

from envoy_data_plane.envoy.extensions.filters.common.fault.v3 import FaultDelay
from envoy_data_plane.envoy.extensions.filters.http.fault.v3 import FaultAbort, HttpFault
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType

from xds.envoy.routed import Routed
from xds.envoy.typed import seconds


def fault() -> HttpFault:
    """The filter's configuration: nothing but what routes say, and nothing that a client may ask for."""
    return HttpFault(disable_downstream_cluster_stats=True)


def per_route(routed: Routed) -> HttpFault | None:
    """What goes wrong for one operation."""
    own = routed.operation.native.fault
    if own is None:
        return None
    return HttpFault(
        delay=None
        if own.delay is None
        else FaultDelay(fixed_delay=seconds(own.delay), percentage=_percent(own.delay_percent)),
        abort=None if own.abort is None else FaultAbort(http_status=own.abort, percentage=_percent(own.abort_percent)),
        disable_downstream_cluster_stats=True,
    )


def _percent(value: float) -> FractionalPercent:
    return FractionalPercent(numerator=round(value * 100), denominator=FractionalPercentDenominatorType.TEN_THOUSAND)
