"""security, claims -> the scopes that lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xds.model import Alternative


def missing_scopes(security: tuple[Alternative, ...], claims: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The scopes that keep a request from every alternative; none if one alternative is met.

    `claims` are the verified claims by scheme name; a scheme without an entry brought no token. An alternative with a
    scheme that brought none is not met (OpenAPI, Security Requirement Object: all schemes of one must be satisfied); one
    without credentials is met by everybody. Of the alternatives not met, the one that lacks least is named.
    """
    lacking: list[tuple[str, ...]] = []
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
            return ()
        lacking.append(missing)
    if not security:
        return ()
    return min(lacking, key=len) if lacking else ("(a token)",)


def granted(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes in a token's claims: `scope` as space-separated text (RFC 8693, section 4.2), or `scp` as a list."""
    scope, scp = claims.get("scope"), claims.get("scp")
    words = scope.split() if isinstance(scope, str) else []
    listed = [s for s in scp if isinstance(s, str)] if isinstance(scp, list) else []
    return frozenset((*words, *listed))
