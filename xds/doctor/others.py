"""What settings name beside the gateway -> can it be reached, does it answer as it must."""

from __future__ import annotations

from collections.abc import Iterator

from xds.doctor.finding import Finding, SetUp
from xds.doctor.project import Read
from xds.doctor.running import skew
from xds.http.ask import get, unreachable
from xds.model import JwtScheme


def opa(_setup: SetUp, project: Read) -> Iterator[Finding]:
    """The OPA that decides, where one does."""
    url = project.compilation.settings.opa if project.compilation else None
    if not url:
        return
    got = get(f"{url.rstrip('/')}/health")
    if got.status != 200:
        what = f"OPA at {url} does not decide: {got.why or got.status}"
        yield Finding(
            "opa-unreachable", what, "start it, or correct `opa` in sidegate.yaml; until then requests are refused"
        )


def rate_limit(_setup: SetUp, project: Read) -> Iterator[Finding]:
    """The service that counts shared limits."""
    counting = project.compilation.gateway.edge.rate_limit if project.compilation else None
    if counting and (why := unreachable(counting.host, counting.port)):
        what = f"the rate limit service at {counting.host}:{counting.port}: {why}"
        yield Finding("rate-limit-unreachable", what, "start it, or correct `rateLimit` in sidegate.yaml")


def issuers(_setup: SetUp, project: Read) -> Iterator[Finding]:
    """Key sets that are fetched."""
    for scheme in project.compilation.gateway.schemes if project.compilation else ():
        if not isinstance(scheme, JwtScheme) or scheme.remote is None:
            continue
        got, fix = (
            get(scheme.remote.url),
            f"correct `security.{scheme.name}.jwks` in sidegate.yaml, or let traffic through",
        )
        if got.status != 200:
            yield Finding("keys-unreachable", f"{scheme.remote.url}: {got.why or got.status}", fix)
        elif not isinstance(got.json, dict) or not isinstance(got.json.get("keys"), list):
            yield Finding("keys-unusable", f"{scheme.remote.url} answers with no key set", fix)
        yield from skew(got.date, scheme.remote.url)


def upstreams(_setup: SetUp, project: Read) -> Iterator[Finding]:
    """Where services run: one that is away is its owner's trouble, and answered with 503."""
    seen = set()
    services = project.compilation.gateway.services if project.compilation else ()
    for version in (version for service in services for version in service.versions):
        where = version.upstream
        if (where.host, where.port) in seen or where.traffic.discovered:
            continue
        seen.add((where.host, where.port))
        if why := unreachable(where.host, where.port):
            what = f"{version.service} at {where.host}:{where.port}: {why}"
            fix = f"start it, or correct services.{version.service}.upstream in sidegate.yaml"
            yield Finding("upstream-unreachable", what, fix, mild=True)
