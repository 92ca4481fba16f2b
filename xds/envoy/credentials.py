"""Routed -> the credentials that are taken off a request on its way to the upstream."""

from __future__ import annotations

from functools import lru_cache

from xds.envoy.routed import Routed
from xds.model import Alternative, Credential, Scheme, SchemeKind, TlsScheme

AUTHORIZATION = "authorization"
_CARRIED = (SchemeKind.JWT, SchemeKind.BASIC)


def spent(routed: Routed) -> list[str]:
    """`authorization`, unless all of the operation's schemes that read it say `forward`, or none does and `authorization:
    pass` is said.

    The route takes it off last, so that policy and cache see it. Keys are gone by then: the auth filter takes them off, since a
    query parameter or a cookie is no header of its own.
    """
    operation = routed.operation
    return list(_spent(operation.security, routed.gateway.schemes, operation.native.authorization == "pass"))


@lru_cache(maxsize=4096)
def _spent(security: tuple[Alternative, ...], schemes: tuple[Scheme, ...], unread: bool) -> tuple[str, ...]:
    reading = {c.scheme for a in security for c in a.credentials if c.kind in _CARRIED}
    kept = [not isinstance(s, TlsScheme) and s.forward for s in schemes if s.name in reading]
    passes = all(kept) if kept else unread and not reading
    return () if passes else (AUTHORIZATION,)


def carrying(credential: Credential) -> str | None:
    """The header that a client puts a credential into; None for a query parameter, a cookie and a certificate."""
    if credential.kind is SchemeKind.KEY:
        return credential.name if credential.place == "header" else None
    return AUTHORIZATION if credential.kind in _CARRIED else None
