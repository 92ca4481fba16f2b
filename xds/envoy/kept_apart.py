"""Routed -> the request headers that kept answers are told apart by, beside host, path and identity.

Whatever the contract lets a service answer by is among them: its header and cookie parameters, and what the gateway tells the
service of who asks. `shared` shares between identities, not between what a service is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from xds.envoy.routed import Routed
from xds.headers import claims_header
from xds.model import JwtScheme, Location, Operation
from xds.native.caching import Cache
from xds.native.transforms import PLACEHOLDER

_READ = frozenset(
    ("accept-encoding", "authorization", "connection", "host", "if-match", "if-modified-since", "if-none-match")
) | frozenset(("if-range", "if-unmodified-since", "range"))
"""Headers that the cache answers by itself, that it has in its key, or that no service behind it gets."""


@dataclass(frozen=True, slots=True)
class Apart:
    """Names of headers, lower case, sorted: those that clients send, which `Vary` tells them of; those that the gateway writes;
    and those of either whose values are kept as hashes, since they hold more than what tells apart."""

    sent: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sent or self.written or self.hidden)


def apart(routed: Routed, own: Cache) -> Apart:
    """What tells the answers of an operation with a cache apart."""
    operation = routed.operation
    parameters = {p.name.lower() for p in operation.parameters if p.location is Location.HEADER} - _READ
    cookies = any(p.location is Location.COOKIE for p in operation.parameters)
    tokens = [s for s in routed.gateway.schemes if isinstance(s, JwtScheme) and s.name in _schemes(operation)]
    claims = {name.lower() for scheme in tokens for name, _ in scheme.headers}
    # A token that the service reads itself may say more than whose it is.
    passed = {claims_header(scheme.name) for scheme in tokens if scheme.forward and not own.shared}
    return Apart(
        tuple(sorted({*own.vary, *parameters, *(("cookie",) if cookies else ())})),
        tuple(sorted(claims | _told(operation))),
        tuple(sorted(passed | ({"cookie"} if cookies else set()))),
    )


def _schemes(operation: Operation) -> set[str]:
    return {credential.scheme for alternative in operation.security for credential in alternative.credentials}


def _told(operation: Operation) -> set[str]:
    """The headers that transforms write a consumer into. A trace id is everybody's own, and says nothing of an answer."""
    changes = operation.native.headers
    if changes is None:
        return set()
    each = (*changes.request.set, *changes.request.add)
    return {name for name, text in each if "consumer" in PLACEHOLDER.findall(text)}
