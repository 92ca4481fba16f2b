"""JwtScheme, Alternative -> jwt_authn: who may sign, and what each combination of schemes requires.

Delivered by ExtensionConfigDiscovery: a changed key set must not drain connections, as a changed listener would.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from envoy_data_plane.envoy.config.core.v3 import DataSource, HttpUri
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import (
    JwksAsyncFetch,
    JwtAuthentication,
    JwtCacheConfig,
    JwtClaimToHeader,
    JwtHeader,
    JwtProvider,
    JwtRequirement,
    JwtRequirementAndList,
    JwtRequirementOrList,
    PerRouteConfig,
    RemoteJwks,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.google.protobuf import Any, Empty

from xds.envoy.codec import any_of, shared
from xds.envoy.names import issuer, optional, requirement, schemes, tokens
from xds.envoy.routed import Routed
from xds.envoy.typed import seconds
from xds.headers import CLAIMS, claims_header
from xds.model import Alternative, Gateway, JwtScheme, RemoteKeys
from xds.model.requirement import in_proxy

Asked = tuple[tuple[tuple[Alternative, ...], bool], ...]

ONE_KEY, SEVERAL_KEYS = "header-of-one-key", "header-of-several-keys"
"""Where a verified token's JOSE header is left in the filter's metadata, by how many keys its issuer may have."""

CONTROL = "[\\x00-\\x1f\\x7f]"
"""What no header's value may hold (RFC 9110, section 5.5): a claim that is sent on must not either."""

METADATA = "envoy.filters.http.jwt_authn"
"""The namespace of what jwt_authn leaves of a verified token, for the filters behind it."""

CACHED_TOKENS = 1000
CLOCK_SKEW_S = 60
FETCH_S = 3
FETCH_AGAIN_S = 5
EARLY_S = 5
"""Envoy fetches keys anew so long before they are old."""


def jwt(gateway: Gateway) -> JwtAuthentication:
    """The filter for a gateway: one provider a scheme, one requirement for each combination that operations ask for."""
    known = sorted((s for s in gateway.schemes if isinstance(s, JwtScheme)), key=lambda s: s.name)
    return JwtAuthentication(
        providers={scheme.name: provider(scheme) for scheme in known},
        requirement_map=dict(sorted(_requirements(gateway, {scheme.name for scheme in known}).items())),
        stat_prefix="jwt",
    )


def provider(scheme: JwtScheme) -> JwtProvider:
    """One issuer. Tokens are taken from `Authorization: Bearer` only: by default Envoy takes `?access_token=` as well.

    The scheme's name has no case, and Envoy looks for a prefix's very letters anywhere in the value: two of them, a letter
    and a space, find every spelling, and the filter behind this one refuses what is no spelling of it.
    """
    return JwtProvider(
        issuer=scheme.issuer,
        audiences=list(scheme.audiences),
        local_jwks=None if scheme.remote else DataSource(inline_string=scheme.jwks),
        remote_jwks=_fetched(scheme.name, scheme.remote) if scheme.remote else None,
        from_headers=[JwtHeader(name="authorization", value_prefix=prefix) for prefix in ("R ", "r ")],
        require_expiration=True,
        clock_skew_seconds=CLOCK_SKEW_S,
        forward=True,
        forward_payload_header=claims_header(scheme.name),
        header_in_metadata=header_key(scheme),
        subjects=_PRINTABLE,
        payload_in_metadata=payload_key(scheme.name),
        failed_status_in_metadata=f"failed.{token_key(scheme.name)}",
        claim_to_headers=[JwtClaimToHeader(header_name=name, claim_name=claim) for name, claim in scheme.headers],
        jwt_cache_config=JwtCacheConfig(jwt_cache_size=CACHED_TOKENS),
    )


_PRINTABLE = StringMatcher(safe_regex=RegexMatcher(regex=CONTROL.replace("[", "[^") + "*"))
"""A subject goes into headers. A token without one is taken."""


def header_key(scheme: JwtScheme) -> str:
    """Where the JOSE header of a scheme's tokens is left."""
    return SEVERAL_KEYS if scheme.has_several_keys else ONE_KEY


def _fetched(name: str, keys: RemoteKeys) -> RemoteJwks:
    """Keys that Envoy fetches by itself, before they are needed and again before they are old, once for all its workers.

    Redirects are not followed, an unknown `kid` fetches nothing, and after a fetch that failed the keys before it stay.
    """
    return RemoteJwks(
        http_uri=HttpUri(uri=keys.url, cluster=issuer(name), timeout=seconds(FETCH_S)),
        cache_duration=seconds(keys.refresh + EARLY_S),
        async_fetch=JwksAsyncFetch(failed_refetch_duration=seconds(FETCH_AGAIN_S)),
    )


def payload_key(scheme: str) -> str:
    """Where a verified token's claims are in the filter's metadata; no colon is in it, which would divide a path."""
    return f"payload.{token_key(scheme)}"


def token_key(scheme: str) -> str:
    """How the filter's metadata calls a scheme, behind `payload.` and `failed.`."""
    return claims_header(scheme).removeprefix(CLAIMS)


def per_route(routed: Routed) -> Any:
    """What one operation's route asks of the filter, packed once for all that ask the same."""
    return _asked(routed.operation.security, in_proxy(routed.operation))


@cache
def _asked(alternatives: tuple[Alternative, ...], later: bool) -> Any:
    name = optional(alternatives) if later else requirement(alternatives)
    return shared(any_of(PerRouteConfig(requirement_name=name) if name else PerRouteConfig(disabled=True)))


def asked(gateway: Gateway) -> Asked:
    """What the routes of a gateway ask of tokens, each with whether a later filter decides; ten thousand share a few."""
    operations = (o for service in gateway.services for version in service.versions for o in version.operations)
    every = {(id(o.security), in_proxy(o)): o.security for o in operations if o.security}
    return tuple(dict.fromkeys((security, later) for (_, later), security in every.items()))


def _requirements(gateway: Gateway, known: set[str]) -> dict[str, JwtRequirement]:
    """Also those that the routes before this named, as far as their schemes are still there: routes and filters are delivered
    apart, and of a requirement that it does not know Envoy makes an error."""
    former = [each for each in gateway.former.tokens if known.issuperset(tokens(each[0]))]
    found: dict[str, JwtRequirement] = {}
    for security, later in (*asked(gateway), *former):
        name = optional(security) if later else requirement(security)
        if name and name not in found:
            found[name] = _verified(security, known) if later else _requirement(security, known)
    return found


def _verified(alternatives: Iterable[Alternative], known: set[str]) -> JwtRequirement:
    """Every scheme's token is verified if it is there, and nobody is refused: the auth filter looks at what came of it."""
    missing = JwtRequirement(allow_missing_or_failed=Empty())
    each = [
        JwtRequirement(requires_any=JwtRequirementOrList(requirements=[_together((name,), known), missing]))
        for name in tokens(alternatives)
    ]
    return each[0] if len(each) == 1 else JwtRequirement(requires_all=JwtRequirementAndList(requirements=each))


def _requirement(alternatives: Iterable[Alternative], known: set[str]) -> JwtRequirement:
    parts = tuple(dict.fromkeys(schemes(alternative) for alternative in alternatives))
    choices = [_together(part, known) for part in parts if part]
    if () in parts:
        choices.append(JwtRequirement(allow_missing=Empty()))
    return choices[0] if len(choices) == 1 else JwtRequirement(requires_any=JwtRequirementOrList(requirements=choices))


def _together(names: tuple[str, ...], known: set[str]) -> JwtRequirement:
    if unknown := set(names) - known:
        raise ValueError(f"no keys for security scheme {', '.join(sorted(unknown))}")
    each = [JwtRequirement(provider_name=name) for name in names]
    return each[0] if len(each) == 1 else JwtRequirement(requires_all=JwtRequirementAndList(requirements=each))
