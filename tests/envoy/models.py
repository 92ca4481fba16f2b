"""A few words -> Gateway: models for tests without a contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from xds.envoy import Limits, Profile
from xds.model import (
    Alternative,
    Body,
    Credential,
    Gateway,
    JwtScheme,
    Location,
    MediaType,
    Mode,
    Name,
    Operation,
    Parameter,
    PathTemplate,
    Place,
    PolicyBinding,
    Schemas,
    Segment,
    Service,
    Shape,
    Upstream,
    Version,
)
from xds.passes.place import place

ANYTHING = Shape(frozenset(("string",)))
BEARER = (Alternative((Credential("bearer"),)),)
JWKS = '{"keys":[]}'


def template(text: str) -> PathTemplate:
    """`/a/{b}.json` -> PathTemplate."""
    return PathTemplate(text, tuple(Segment(tuple(_parts(segment))) for segment in text.split("/")[1:]))


def _parts(segment: str) -> Iterable[str | Name]:
    text = segment
    while text:
        before, brace, rest = text.partition("{")
        if before:
            yield before
        if not brace:
            return
        name, _, text = rest.partition("}")
        yield Name(name)
    if not segment:
        yield ""


def operation(
    text: str,
    security: tuple[Alternative, ...] = (),
    *,
    body: str | None = None,
    limit: int = 1 << 20,
    mode: Mode = Mode.ENFORCE,
    matrix: str = "",
    exempt: str | None = None,
) -> Operation:
    """`GET /items/{id}` -> Operation; `body` is its one media type."""
    method, path = text.split(" ", 1)
    name = "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")
    media = (MediaType(body, None, None),) if body else ()
    parameters = (Parameter(matrix, Location.PATH, True, None, ANYTHING, style="matrix"),) if matrix else ()
    return Operation(
        id=name, method=method, path=template(path), parameters=parameters,
        body=Body(True, media, limit, Place("x")) if body else None, security=security,
        policy=PolicyBinding(exempt=exempt), mode=mode, query_open=False, tags=(), deprecated=False, place=Place("x"),
    )  # fmt: skip


def version(name: str, operations: Iterable[Operation | str], upstream: str = "http://127.0.0.1:9001") -> Version:
    """`catalog/v1` with operations -> Version, checks placed."""
    service, _, label = name.partition("/")
    each = tuple(operation(o) if isinstance(o, str) else o for o in operations)
    scheme, _, authority = upstream.partition("://")
    host, _, port = authority.rpartition(":")
    digest = hashlib.sha256(repr(each).encode()).hexdigest()[:16]
    return place(Version(service, label, digest, Upstream(scheme, host, int(port)), each, Schemas({}), (), Place("x")))


def gateway(
    *versions: Version, hosts: dict[str, tuple[str, ...]] | None = None, schemes: Iterable[JwtScheme] = ()
) -> Gateway:
    """Versions, grouped by their service -> Gateway."""
    grouped: dict[str, list[Version]] = {}
    for each in versions:
        grouped.setdefault(each.service, []).append(each)
    services = tuple(Service(n, (hosts or {}).get(n, ()), tuple(vs)) for n, vs in sorted(grouped.items()))
    return Gateway(services, tuple(schemes))


def bearer(jwks: str = JWKS, name: str = "bearer") -> JwtScheme:
    """A scheme of the issuer `https://issuer.test`, for the audience `ref`."""
    return JwtScheme(name, "https://issuer.test", ("ref",), jwks)


def profile(listen: int = 8080, companion: int = 8082, **more: object) -> Profile:
    """A profile on loopback."""
    return Profile(("127.0.0.1", listen), ("127.0.0.1", companion), **{"limits": Limits(), **more})  # type: ignore[arg-type]
