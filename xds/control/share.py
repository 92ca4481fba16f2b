"""Gateway -> the part of it that one service's proxies are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xds.model import Gateway, JwtScheme, Service


def share(gateway: Gateway, service: str) -> Gateway:
    """Only the service, the schemes that its operations name, and the key material that they and its upstreams need.

    The gateway's listeners are those of the proxy in front of all, with their certificates: a service's proxy listens in the
    clear, where its profile says.
    """
    services = tuple(s for s in gateway.services if s.name == service)
    named = frozenset(schemes_of(services))
    schemes = tuple(s for s in gateway.schemes if s.name in named)
    material = {s.login.secret for s in schemes if isinstance(s, JwtScheme) and s.login} | {*secrets_of(services)}
    secrets = tuple(s for s in gateway.secrets if s.name in material)
    return replace(gateway, services=services, schemes=schemes, secrets=secrets, listeners=())


def schemes_of(services: tuple[Service, ...]) -> Iterator[str]:
    """The names of the security schemes that operations ask for."""
    for operation in (o for s in services for v in s.versions for o in v.operations):
        yield from (c.scheme for a in operation.security for c in a.credentials)


def secrets_of(services: tuple[Service, ...]) -> Iterator[str]:
    """The names of the key material with which upstreams are reached."""
    for tls in (v.upstream.tls for s in services for v in s.versions):
        yield from filter(None, (tls.ca, tls.certificate) if tls else ())
