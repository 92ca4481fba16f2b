"""Routed -> the credentials that are taken off a request on its way to the upstream."""

from __future__ import annotations

from functools import lru_cache

from xds.envoy.routed import Routed
from xds.model import Alternative, Scheme, SchemeKind, TlsScheme

AUTHORIZATION = "authorization"
_CARRIED = (SchemeKind.JWT, SchemeKind.BASIC)


def spent(routed: Routed) -> list[str]:
    """`authorization`, where the operation's schemes read it and one of them does not say `forward`.

    The route takes it off last, so that policy and cache see it. Keys are gone by then: the auth filter takes them off, since a
    query parameter or a cookie is no header of its own.
    """
    security = routed.operation.security
    return list(_spent(security, routed.gateway.schemes)) if security else []


@lru_cache(maxsize=4096)
def _spent(security: tuple[Alternative, ...], schemes: tuple[Scheme, ...]) -> tuple[str, ...]:
    reading = {c.scheme for a in security for c in a.credentials if c.kind in _CARRIED}
    kept = [not isinstance(s, TlsScheme) and s.forward for s in schemes if s.name in reading]
    return (AUTHORIZATION,) if reading and not (kept and all(kept)) else ()
