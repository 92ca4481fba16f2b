"""Wanted gateway, what a group has, what its companions hold -> the gateway that the group may be given next."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from xds.control.groups import EVERYTHING, Companion, Group
from xds.control.share import schemes_of, secrets_of, share
from xds.model import Gateway, Service
from xds.model.listeners import Tls


def part_of(gateway: Gateway, service: str, own: str) -> Gateway:
    """What of a gateway is a service's; for `own`, the service whose proxies the settings' listeners are for, with those."""
    if service == EVERYTHING:
        return gateway
    part = share(gateway, service)
    if service != own:
        return part
    material = {n for each in gateway.listeners if each.tls for n in _material(each.tls)}
    secrets = {s.name: s for s in (*part.secrets, *(s for s in gateway.secrets if s.name in material))}
    listening = tuple(secrets[name] for name in sorted(secrets))
    return replace(part, listeners=gateway.listeners, secrets=listening)


def next_for(
    group: Group,
    wanted: Gateway,
    companions: Collection[Companion],
    older: Callable[[Service], bool],
    own: str,
) -> Gateway:
    """The wanted services that all living companions hold and that are not `older` than what they hold; of the others what
    the group has."""
    have = {service.name: service for service in group.gateway.services}
    services = []
    for service in part_of(wanted, group.service, own).services:
        if companions and all(c.holds(service) for c in companions) and not older(service):
            services.append(service)
        elif service.name in have:
            services.append(have[service.name])
    # A service that stays behind keeps the schemes it was compiled with.
    schemes = {s.name: s for s in (*group.gateway.schemes, *wanted.schemes)}
    used = {*schemes_of(tuple(services))}
    names = {s.name for s in wanted.schemes}
    kept = tuple(schemes[n] for n in sorted(schemes) if n in used or n in names)
    # So does one whose upstream is reached with other key material than is wanted now.
    named = {*secrets_of(tuple(services))}
    secrets = {s.name: s for s in group.gateway.secrets if s.name in named}
    secrets |= {s.name: s for s in wanted.secrets}
    known = tuple(secrets[name] for name in sorted(secrets))
    return part_of(replace(wanted, services=tuple(services), schemes=kept, secrets=known), group.service, own)


def ahead(companions: Collection[Companion], service: Service) -> bool:
    """Whether companions hold something newer than these sources: what they took last is something else."""
    return any(c.digests[f"{v.service}/{v.name}"][0] != v.digest for c in companions for v in service.versions)


def _material(tls: Tls) -> tuple[str, ...]:
    return tuple(filter(None, (*(each.secret for each in tls.certificates), tls.client_ca)))
