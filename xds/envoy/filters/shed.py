"""The filter that refuses requests while their service fails: Envoy's admission control, one for each operation that asks.

Admission control has no configuration by route, so it is made by a composite filter whose rule stands on the route. What it has
counted begins anew when its route changes.
"""

from __future__ import annotations

from functools import cache

from envoy_data_plane.envoy.config.core.v3 import RuntimeDouble, RuntimeFeatureFlag, RuntimePercent, RuntimeUInt32
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher, ExtensionWithMatcherPerRoute
from envoy_data_plane.envoy.extensions.filters.http.admission_control.v3 import (
    AdmissionControl,
    AdmissionControlSuccessCriteria,
    AdmissionControlSuccessCriteriaGrpcCriteria,
    AdmissionControlSuccessCriteriaHttpCriteria,
)
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import Composite, ExecuteFilterAction
from envoy_data_plane.envoy.type.v3 import Int32Range, Percent
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import Matcher, MatcherOnMatch

from xds.envoy.codec import any_of, shared
from xds.envoy.routed import Routed
from xds.envoy.typed import seconds, typed
from xds.native.shedding import Shed


def shed() -> ExtensionWithMatcher:
    """The filter's configuration: it does nothing by itself."""
    return ExtensionWithMatcher(xds_matcher=Matcher(on_no_match=None), extension_config=typed("composite", Composite()))


def per_route(routed: Routed) -> Any | None:
    """Admission control for an operation that asks for it."""
    rule = routed.operation.native.shed
    return _rule(routed.version.service, routed.version.name, routed.operation.id, rule) if rule else None


@cache
def _rule(service: str, version: str, operation: str, rule: Shed) -> Any:
    action = ExecuteFilterAction(typed_config=typed("admission_control", _control(rule)))
    chosen = MatcherOnMatch(action=TypedExtensionConfig(name="shed", typed_config=any_of(action)))
    return shared(any_of(ExtensionWithMatcherPerRoute(xds_matcher=Matcher(on_no_match=chosen))))


def _control(rule: Shed) -> AdmissionControl:
    answered = AdmissionControlSuccessCriteriaHttpCriteria(http_success_status=[Int32Range(start=100, end=500)])
    criteria = AdmissionControlSuccessCriteria(
        http_criteria=answered,
        # Internal, unavailable and data loss are the service's trouble; all else is an answer.
        grpc_criteria=AdmissionControlSuccessCriteriaGrpcCriteria(
            grpc_success_status=[n for n in range(17) if n not in (13, 14, 15)]
        ),
    )
    return AdmissionControl(
        enabled=RuntimeFeatureFlag(default_value=True),
        success_criteria=criteria,
        sampling_window=seconds(rule.window),
        aggression=RuntimeDouble(default_value=1.0, runtime_key="sidegate.shed.aggression"),
        sr_threshold=RuntimePercent(default_value=Percent(value=rule.success), runtime_key="sidegate.shed.success"),
        rps_threshold=RuntimeUInt32(default_value=rule.least, runtime_key="sidegate.shed.least"),
        max_rejection_probability=RuntimePercent(
            default_value=Percent(value=rule.most), runtime_key="sidegate.shed.most"
        ),
    )
