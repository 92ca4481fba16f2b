"""What is published, who is connected and who reports -> whether requests are judged by what the files say, and if not, why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xds.ads.server import AdsServer
from xds.control.groups import EVERYTHING
from xds.control.publish import Publisher


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests are judged by what the files say, and if not, what is missing."""

    missing: tuple[str, ...]
    digests: Mapping[str, str]
    degraded: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.missing


async def readiness(publisher: Publisher, server: AdsServer, service: str, stale: Sequence[str]) -> Readiness:
    """What `GET /ready` says of the proxies of a service: every part, asked now. `stale` is why the sources may be old."""
    missing, served = lacking(publisher, service)
    behind = await _behind(publisher, server, service)
    if behind:
        missing.extend(behind)
    else:
        silent = [f"{host}:{port}" for host, port in _addresses(publisher, service) if not await _listens(host, port)]
        missing.extend(f"nothing listens on {address}" for address in silent)
    refused, serving = sorted(publisher.wanted.refused), {name.partition("/")[0] for name in served}
    return Readiness(tuple(missing), served, (*stale, *(_degraded(n, n in serving) for n in refused)))


def lacking(publisher: Publisher, service: str) -> tuple[list[str], dict[str, str]]:
    """What keeps a proxy of a service from being given the newest contracts, and the digests that it is given."""
    missing: list[str] = []
    group, wanted = publisher.groups.get(service), publisher.wanted.digests
    digests = {n: d for n, d in wanted.items() if service in (EVERYTHING, n.partition("/")[0])}
    if not digests:
        missing.append("no contract compiles")
    companions = publisher.living(service)
    if not companions:
        missing.append("no companion reports")
    for companion in companions:
        missing.extend(f"companion {companion.node}: {problem}" for problem in companion.problems)
        lacks = sorted(n for n, digest in digests.items() if digest not in companion.digests.get(n, ()))
        missing.extend(f"companion {companion.node} does not hold {name} {digests[name]}" for name in lacks)
    served = group.digests if group else {}
    if served != digests:
        missing.append("the newest digests are not published yet")
    missing.extend(f"not published: {problem}" for problem in publisher.problems(service))
    return missing, served


async def _behind(publisher: Publisher, server: AdsServer, service: str) -> tuple[str, ...]:
    """What keeps the proxies of a service, wherever they stand, from holding what they shall."""
    keys = {group.key for group in publisher.groups.values() if group.service == service}
    there = {client.group for client in server.clients()} & keys or {service}
    return tuple([text for key in sorted(there) for text in await server.live(key, timeout=0)])


def _addresses(publisher: Publisher, service: str) -> list[tuple[str, int]]:
    """Where the proxies listen by what is published."""
    group = publisher.groups.get(service)
    listeners = group.gateway.listeners if group else ()
    return [(each.host, each.port) for each in listeners] or [publisher.profile.listen]


def _degraded(service: str, serves: bool) -> str:
    return f"{service} has errors; " + ("its last good form serves" if serves else "nothing of it is served")


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 0.5)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
