"""The filter that refuses a verified token with a `crit` header.

RFC 7515, section 4.1.11: extensions named by `crit` must be understood, and jwt_authn understands none and looks at none.
RBAC can only answer 403; `xds.envoy.replies` turns that into the 401 it is.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.rbac.v3 import (
    MetadataSource,
    Permission,
    Policy,
    Principal,
    RbacAction,
    SourcedMetadata,
)
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.type.matcher.v3 import MetadataMatcher, MetadataMatcherPathSegment, ValueMatcher

from xds.envoy.filters.jwt import HEADER_KEY, METADATA

POLICY = "crit"


def crit() -> Rbac:
    """The filter's configuration."""
    path = [MetadataMatcherPathSegment(key=HEADER_KEY), MetadataMatcherPathSegment(key="crit")]
    present = MetadataMatcher(filter=METADATA, path=path, value=ValueMatcher(present_match=True))
    principal = Principal(
        sourced_metadata=SourcedMetadata(metadata_matcher=present, metadata_source=MetadataSource.DYNAMIC)
    )
    policy = Policy(permissions=[Permission(any=True)], principals=[principal])
    return Rbac(rules=Rules(action=RbacAction.DENY, policies={POLICY: policy}))
