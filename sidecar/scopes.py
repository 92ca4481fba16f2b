"""security, claims -> what a request lacks: a token, or scopes of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xds.model import Alternative, JwtScheme, Scheme

Claims = Mapping[str, Mapping[str, Any]]
"""The verified claims by scheme name; a scheme without an entry brought no token."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What keeps a request from every alternative: `scopes` of a token that it has; none at all if it has no token."""

    scopes: tuple[str, ...] = ()


def lacking(security: tuple[Alternative, ...], claims: Claims) -> Lack | None:
    """What a request lacks; None if one alternative is met.

    An alternative with a scheme that brought no token is not met (OpenAPI, Security Requirement Object: all schemes of one
    must be satisfied); one without credentials is met by everybody. Of the alternatives not met, the one that lacks least
    is named.
    """
    if not security:
        return None
    found: list[tuple[str, ...]] = []
    for alternative in security:
        if any(credential.scheme not in claims for credential in alternative.credentials):
            continue
        missing = tuple(
            scope
            for credential in alternative.credentials
            for scope in credential.scopes
            if scope not in granted(claims[credential.scheme])
        )
        if not missing:
            return None
        found.append(missing)
    return Lack(min(found, key=len)) if found else Lack()


def granted(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes in a token's claims: `scope` as space-separated text (RFC 8693, section 4.2), or `scp` as a list."""
    scope, scp = claims.get("scope"), claims.get("scp")
    words = scope.split() if isinstance(scope, str) else []
    listed = [s for s in scp if isinstance(s, str)] if isinstance(scp, list) else []
    return frozenset((*words, *listed))


def twins(schemes: Iterable[Scheme]) -> Mapping[str, tuple[str, ...]]:
    """The schemes that take the very same tokens, by each of their names; those that have no twin are left out."""
    alike: dict[tuple[str, frozenset[str], str], list[str]] = {}
    for scheme in schemes:
        if not isinstance(scheme, JwtScheme):
            continue
        alike.setdefault((scheme.issuer, frozenset(scheme.audiences), scheme.jwks), []).append(scheme.name)
    return {name: tuple(names) for names in alike.values() if len(names) > 1 for name in names}


def with_twins(claims: Claims, alike: Mapping[str, tuple[str, ...]]) -> Claims:
    """The claims under each scheme that takes their token. Where schemes are alternatives, Envoy's jwt_authn stops at the
    first that verifies, so that the others' scopes would be looked for in vain."""
    if not alike:
        return claims
    more = {twin: claims[name] for name in claims for twin in alike.get(name, ()) if twin not in claims}
    return {**claims, **more}
