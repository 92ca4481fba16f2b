"""Operation -> who judges what it asks for of credentials: Envoy's own filters, a program in the proxy, or the companion."""

from __future__ import annotations

from xds.model.checks import Check, Placement
from xds.model.credentials import SchemeKind
from xds.model.operation import Operation

CREDENTIALS = "credentials"
SCOPES = "scopes"


def mixed(operation: Operation) -> bool:
    """Whether an alternative asks for something other than a token, which jwt_authn knows nothing of."""
    return any(c.kind is not SchemeKind.JWT for alternative in operation.security for c in alternative.credentials)


def scoped(operation: Operation) -> bool:
    """Whether an alternative asks for scopes."""
    return any(c.scopes for alternative in operation.security for c in alternative.credentials)


def in_proxy(operation: Operation) -> bool:
    """Whether the proxy's program says who asks and which scopes lack. `checks` must be filled in."""
    return any(_judges(check) for check in operation.checks)


def _judges(check: Check) -> bool:
    return check.placement is Placement.IN_PROXY and check.kind in (CREDENTIALS, SCOPES)
