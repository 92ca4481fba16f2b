"""The filter that refuses verified tokens for what jwt_authn does not look at.

RBAC can only answer 403; `xds.envoy.replies` turns each policy's name into the 401 it is. Delivered by
ExtensionConfigDiscovery, since claims that go into headers are settings, and on for operations that take tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.type.matcher.v3 import (
    MetadataMatcher,
    MetadataMatcherPathSegment,
    RegexMatcher,
    StringMatcher,
    ValueMatcher,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy import expressions as cel
from xds.envoy.filters.http_filter import switched_on
from xds.envoy.filters.jwt import CLOCK_SKEW_S, CONTROL, METADATA, SEVERAL_KEYS, header_key, payload_key
from xds.envoy.names import tokens
from xds.envoy.routed import Routed
from xds.model import Gateway, JwtScheme

POLICY = "token-"
"""What the policies' names begin with."""


def verified(gateway: Gateway) -> Rbac:
    """The filter's configuration."""
    schemes = sorted((s for s in gateway.schemes if isinstance(s, JwtScheme)), key=lambda s: s.name)
    keys = sorted({header_key(scheme) for scheme in schemes})
    found = {
        # RFC 7515, section 4.1.11: extensions named by `crit` must be understood; jwt_authn understands none
        f"{POLICY}crit": [_said(key, "crit") for key in keys],
        # OpenID Connect Core, section 10.1: with several keys the token has to name its own; jwt_authn tries them all
        f"{POLICY}kid": [_all(_said(key), _not(_said(key, "kid"))) for key in keys if key == SEVERAL_KEYS],
        # jwt_authn looks for a part of the scheme's name anywhere in the header
        f"{POLICY}scheme": [_all(_not(_bearer()), _any(*(_said(key) for key in keys)))] if keys else [],
        f"{POLICY}claim": [*_unprintable(schemes)],
    }
    policies = {name: _policy(principals) for name, principals in found.items() if principals}
    policies |= {f"{POLICY}iat:{scheme.name}": _early(scheme) for scheme in schemes}
    return Rbac(rules=Rules(action=RbacAction.DENY, policies=policies))


def per_route(routed: Routed) -> Any | None:
    """On wherever tokens are looked at."""
    return switched_on() if tokens(routed.operation.security) else None


def _unprintable(schemes: Iterable[JwtScheme]) -> Iterator[Principal]:
    """Claims that go into headers, and would break them: nothing that is sent on may hold control characters."""
    value = ValueMatcher(string_match=StringMatcher(safe_regex=RegexMatcher(regex=f"(?s).*{CONTROL}.*")))
    for scheme in schemes:
        for claim in sorted({claim for _, claim in scheme.headers}):
            yield _metadata((payload_key(scheme.name), *claim.split(".")), value)


def _early(scheme: JwtScheme) -> Policy:
    """A token that says it was made later than now (RFC 7519, section 4.1.6): whoever made it has no clock to trust."""
    key = payload_key(scheme.name)
    claims = cel.at(cel.at(cel.member(cel.variable("metadata"), "filter_metadata"), METADATA), key)
    now = cel.call("double", cel.call("int", cel.member(cel.variable("request"), "time")))
    late = cel.call("_>_", cel.member(claims, "iat"), cel.call("_+_", now, cel.number(CLOCK_SKEW_S)))
    policy = _policy([_said(key, "iat")])
    policy.condition = cel.numbered(late)
    return policy


def _policy(principals: list[Principal]) -> Policy:
    return Policy(permissions=[Permission(any=True)], principals=principals)


def _bearer() -> Principal:
    """The authentication scheme's name has no case (RFC 9110, section 11.1)."""
    prefix = StringMatcher(prefix="bearer ", ignore_case=True)
    return Principal(header=HeaderMatcher(name="authorization", string_match=prefix))


def _said(*path: str) -> Principal:
    """Whether something stands there in what jwt_authn left."""
    return _metadata(path, ValueMatcher(present_match=True))


def _metadata(path: tuple[str, ...], value: ValueMatcher) -> Principal:
    segments = [MetadataMatcherPathSegment(key=key) for key in path]
    matcher = MetadataMatcher(filter=METADATA, path=segments, value=value)
    return Principal(sourced_metadata=SourcedMetadata(metadata_matcher=matcher, metadata_source=MetadataSource.DYNAMIC))


def _all(*principals: Principal) -> Principal:
    return Principal(and_ids=PrincipalSet(ids=list(principals)))


def _any(*principals: Principal) -> Principal:
    return Principal(or_ids=PrincipalSet(ids=list(principals)))


def _not(principal: Principal) -> Principal:
    return Principal(not_id=principal)
