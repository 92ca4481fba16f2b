"""Routed, RateLimit -> the headers by which the limit filters know what a request counts for, and how much."""

from __future__ import annotations

from collections.abc import Iterator

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation

from xds.envoy.costs import cel, constant
from xds.envoy.filters.jwt import METADATA, payload_key
from xds.envoy.profile import Profile
from xds.envoy.routed import Routed
from xds.envoy.spelled import MANY, counted, counted_path
from xds.envoy.typed import set_header
from xds.headers import IDENTITY, LIMIT, PREFIX
from xds.model import Operation, Parameter
from xds.model.requirement import in_proxy, mixed
from xds.native.plans import PER_PLAN, most
from xds.native.rates import PARTS, PER_OPERATION, RateLimit, parameter

LENGTH = 256
"""So many characters of a value count: what a client fills freely must not fill the memory."""

IPV6_PREFIX = 64
"""An IPv6 address counts by its network: whoever has one address has 2^64 of them."""

ADDRESS = f"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT({IPV6_PREFIX})%"
MAPPED = "%CEL(source.address.startsWith('[::ffff:') ? source.address : '')%"
"""An IPv4 address as IPv6, which only trusted hops write: all of them have one network."""

ARGUMENT = f"{PREFIX}argument-"

WRITTEN = f"{PREFIX}written"
"""A value as it came, only while a key is made of it."""

PLAN = "sidegate.plan"
"""The namespace in which `xds/program/auth.lua` writes what the consumer's plan counts."""

SHARED_LIMIT = f"{PREFIX}shared"
"""The first shared limit that may refuse; `<this>-N-key-M`, `-cost`, `-name` and `-quota`: what counts in the Nth."""


TOLD = f"{PREFIX}told"
"""In the answer: what is told of a plan's limit, only while it is put together."""


def sound_keys(limit: RateLimit, routed: Routed, prefix: str) -> Iterator[Mutation]:
    """Headers `<prefix>-key-N`, one for each part of what a bucket is for, in UTF-8."""
    for index in range(len(limit.by)):
        yield from key(limit, index, routed, f"{prefix}-key-{index}")
        yield from _sound(f"{prefix}-key-{index}")


def _sound(header: str) -> Iterator[Mutation]:
    """The service is asked in UTF-8: of what is none, one bucket; or nothing would be asked, and nothing refused."""
    written = f"request.headers['{WRITTEN}']"
    yield set_header(WRITTEN, f"%REQ({header})%")
    yield set_header(header, "unsound")
    yield set_header(header, f"%CEL({written}.matches('^(?s:.)*$') ? {written} : '')%")
    yield Mutation(remove=WRITTEN)


def costs(limit: RateLimit, routed: Routed, header: str) -> Iterator[Mutation]:
    """The header with what the request takes of the limit."""
    fixed = constant(limit.cost)
    if fixed is not None:
        yield set_header(header, str(fixed))
        return
    values: dict[str, str] = {}
    for index, name in enumerate(limit.cost.parameters):
        found = parameter(routed.operation, name)
        if found is None:
            raise ValueError(f"{limit.name}: there is no parameter {name}")
        if found.location == "header":
            values[name] = found.name
        else:
            values[name] = f"{ARGUMENT}{index}"
            yield Mutation(remove=values[name])
            yield set_header(values[name], f"%QUERY_PARAM({found.name}):16%")
    most = limit.burst or limit.limit
    yield set_header(header, str(most))  # where the expression comes to nothing, which writes no header
    yield set_header(header, f"%CEL({cel(limit.cost, values, most)})%")
    yield from (Mutation(remove=name) for name in values.values() if name.startswith(ARGUMENT))


def key(limit: RateLimit, index: int, routed: Routed, header: str, before: str = "") -> Iterator[Mutation]:
    """The header with a text, and one part of what a bucket is for.

    It is never left out: of a request that lacks a key nothing would be counted.
    """
    kind, _, name = limit.by[index].partition(":")
    match kind:
        case "client":
            yield set_header(header, f"{before}%REQ({IDENTITY}):{LENGTH}%")
        case "address":
            yield set_header(header, f"{before}a:{address(routed.profile)}")
        case "claim":
            yield set_header(header, f"{before}j:" + "".join(_claims(name, routed.operation)))
        case "header":
            yield set_header(header, f"{before}h:%REQ({name}):{LENGTH}%")
        case _:
            yield from _parameter(header, f"{before}p:", name, routed.operation)


def address(profile: Profile) -> str:
    """What is counted of an address, as a format."""
    return f"{ADDRESS}{MAPPED if profile.trusted_hops else ''}"


def _claims(name: str, operation: Operation) -> Iterator[str]:
    schemes = {c.scheme for alternative in operation.security for c in alternative.credentials}
    for scheme in sorted(schemes):
        yield f"%DYNAMIC_METADATA({METADATA}:{payload_key(scheme)}:{name}):{LENGTH}%"


def _parameter(header: str, before: str, name: str, operation: Operation) -> Iterator[Mutation]:
    """A space has several spellings in a query, a number anywhere, and anything in a path, which nothing here decodes: all
    values with some share a bucket, or each spelling would have one."""
    found = parameter(operation, name)
    if found is None:
        raise ValueError(f"there is no parameter {name} to count by")
    match found.location:
        case "query":
            written = f"request.headers['{WRITTEN}']"
            yield Mutation(remove=WRITTEN)
            yield set_header(WRITTEN, f"%QUERY_PARAM({name}):{LENGTH}%")
            one = f"{written}.matches('[ +]') ? {MANY} : ({counted(written, found)})"
            yield set_header(header, f"{before}%CEL('{WRITTEN}' in request.headers ? ({one}) : '')%")
            yield Mutation(remove=WRITTEN)
        case "header":
            yield set_header(header, f"{before}{_header(found)}")
        case "path":
            yield set_header(header, f"{before}%CEL({counted_path(found, operation)}):{LENGTH}%")
        case _:
            raise ValueError(f"{name} is nowhere to count by")


def _header(found: Parameter) -> str:
    plain, value = f"%REQ({found.name}):{LENGTH}%", f"request.headers['{found.name}']"
    told = counted(value, found)
    return plain if told == value else f"%CEL('{found.name}' in request.headers ? ({told}) : ''):{LENGTH}%"


def planned(routed: Routed) -> bool:
    """Whether somebody with a plan may ask: the auth program has to say who it is."""
    return bool(routed.gateway.edge.plans) and mixed(routed.operation) and in_proxy(routed.operation)


def plan_shared(routed: Routed, closed: bool) -> int:
    """So many shared limits of one plan may count the request, of those that refuse, or do not, without the service."""
    edge = routed.gateway.edge
    if edge.rate_limit is None or not planned(routed):
        return 0
    return most(plan.shared(closed, edge.rate_limit.closed) for plan in edge.plans)


def plan_value(place: str, name: str) -> str:
    """What the auth program wrote down of the consumer's plan for one filter; empty without a plan."""
    return f"%DYNAMIC_METADATA({PLAN}:{place}:{name})%"


def shared_name() -> str:
    """In CEL the name of the shared limit that refused: the first whose quota Envoy's older field begins with."""
    name = f"request.headers['{SHARED_LIMIT}']"
    for index in range(2 * PER_OPERATION + PER_PLAN - 1, -1, -1):
        header = f"{SHARED_LIMIT}-{index}"
        known = f"'{header}-quota' in request.headers"
        held = f"response.headers['x-ratelimit-limit'].startsWith(request.headers['{header}-quota'])"
        name = f"({known} && {held} ? request.headers['{header}-name'] : {name})"
    return name


def internal(parts: int = PARTS) -> Iterator[str]:
    """The headers that are no longer needed behind the last limit, where none is counted by more things than so many."""
    yield LIMIT
    yield from (f"{LIMIT}-{each}" for each in ("quota", "bucket", "cost", "wait"))
    yield from (f"{LIMIT}-key-{index}" for index in range(1, parts))


def internal_shared(count: int) -> Iterator[str]:
    """Those of so many shared limits."""
    if count:
        yield SHARED_LIMIT
    for limit in range(count):
        yield from (f"{SHARED_LIMIT}-{limit}-{each}" for each in ("name", "quota", "cost", "bucket"))
        yield from (f"{SHARED_LIMIT}-{limit}-key-{index}" for index in range(PARTS))
