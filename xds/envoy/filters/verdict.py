"""The filter that refuses a request unless the auth filter let it pass.

A Lua error lets a request through, so that filter only ever says what it found, in metadata, and this one, which is Envoy's
own, acts on it. RBAC can only answer 403; `xds.envoy.replies` turns each policy's name into the answer it stands for.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.rbac.v3 import (
    MetadataSource,
    Permission,
    Policy,
    Principal,
    PrincipalSet,
    RbacAction,
    SourcedMetadata,
)
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.type.matcher.v3 import (
    MetadataMatcher,
    MetadataMatcherPathSegment,
    StringMatcher,
    ValueMatcher,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy.filters.http_filter import switched_on
from xds.envoy.routed import Routed
from xds.model.requirement import in_proxy

METADATA = "sidegate.auth"
"""The namespace that `xds/program/auth.lua` writes."""

CHALLENGE = f"%DYNAMIC_METADATA({METADATA}:challenge)%"
"""The `WWW-Authenticate` that goes with a refusal."""

PASS = "pass"
REFUSALS = (
    "token-missing",
    "token-expired",
    "token-invalid",
    "credentials-missing",
    "credentials-invalid",
    "insufficient-scope",
    "keys-unavailable",
)
UNJUDGED = "unjudged"
"""The policy for a request of which nothing was said, or something unheard of."""


def verdict() -> Rbac:
    """The filter's configuration."""
    policies = {f"auth-{word}": _policy(_said(word)) for word in REFUSALS}
    known = Principal(or_ids=PrincipalSet(ids=[_said(word) for word in (PASS, *REFUSALS)]))
    policies[UNJUDGED] = _policy(Principal(not_id=known))
    return Rbac(rules=Rules(action=RbacAction.DENY, policies=policies))


def _policy(principal: Principal) -> Policy:
    return Policy(permissions=[Permission(any=True)], principals=[principal])


def _said(word: str) -> Principal:
    path = [MetadataMatcherPathSegment(key="verdict")]
    value = ValueMatcher(string_match=StringMatcher(exact=word))
    matcher = MetadataMatcher(filter=METADATA, path=path, value=value)
    return Principal(sourced_metadata=SourcedMetadata(metadata_matcher=matcher, metadata_source=MetadataSource.DYNAMIC))


def per_route(routed: Routed) -> Any | None:
    """On wherever the auth filter is on."""
    return switched_on() if in_proxy(routed.operation) else None
