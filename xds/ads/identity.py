"""A peer's certificate -> Identity: who it is, and which service's node it may be.

SPIFFE-ID, section 2 (`spiffe://trust domain/path`); the path `/ns/NAMESPACE/sa/ACCOUNT` is that of Kubernetes' service
accounts, as Istio, cert-manager's csi-driver-spiffe and SPIRE write it. DNS names are those of Kubernetes' services.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xds.ads.messages import Node
from xds.handshake import EDGE, RATE_LIMIT

EXPIRED = "the client's certificate has expired"
_ACCOUNT = re.compile(r"spiffe://[^/]+/ns/([^/]+)/sa/([^/]+)")
_SERVICE = re.compile(r"([^.]+)\.([^.]+)\.svc(\..+)?")


@dataclass(frozen=True, slots=True)
class Identity:
    """The names (URIs, DNS names) in a certificate that was verified. `until` is when it ends, in seconds of the Unix epoch."""

    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    until: float = float("inf")

    @property
    def expired(self) -> bool:
        """Whether it is over: a connection outlives the certificate that it began with."""
        return self.until < time.time()

    def __str__(self) -> str:
        return ", ".join((*self.uris, *self.dns)) or "a certificate without names"


def identity_of(context: Mapping[str, Iterable[bytes]]) -> Identity | None:
    """What gRPC says of a connection's peer (`auth_context`); None if it showed no certificate."""
    pem = next(iter(context.get("x509_pem_cert") or ()), None)
    if pem is None:
        return None
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem)
    return Identity(
        _texts(context, "peer_uri"), _texts(context, "peer_dns"), certificate.not_valid_after_utc.timestamp()
    )


def asked_for(node: Node) -> str:
    """Whose node it says to be: a service's, `edge`, or `ratelimit`."""
    if service := node.metadata.get("service"):
        return str(service)
    return RATE_LIMIT if node.id == RATE_LIMIT else EDGE


def refusal(
    name: str, identity: Identity | None, nodes: Mapping[str, Iterable[str]], namespaces: Mapping[str, str]
) -> str:
    """Why a peer may not be a node of that name; empty if it may.

    `nodes` are the names that certificates of a service must have one of, where that was said; `namespaces` those that
    services' sources came from. Without the first, the account or DNS name is the service's, in its namespace if that is known.
    """
    if identity is None:
        return f"no certificate was shown, and {name} needs one"
    if identity.expired:
        return EXPIRED
    pinned = nodes.get(name)
    names = (*identity.uris, *identity.dns)
    if pinned is not None:
        fits = not set(names).isdisjoint(pinned)
    else:
        fits = any(_is(each, name, namespaces.get(name)) for each in names)
    return "" if fits else f"a certificate of {identity} is none of {name}"


def _is(name: str, service: str, namespace: str | None) -> bool:
    if account := _ACCOUNT.fullmatch(name):
        return account[2] == service and namespace in (None, account[1])
    if inside := _SERVICE.fullmatch(name):
        return inside[1] == service and namespace in (None, inside[2])
    return name == service and namespace is None


def _texts(context: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(value.decode(errors="replace") for value in context.get(key) or ())


__all__ = ["EDGE", "EXPIRED", "RATE_LIMIT", "Identity", "asked_for", "identity_of", "refusal"]
