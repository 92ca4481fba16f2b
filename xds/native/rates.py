"""`rateLimits: [...]` -> RateLimit: how often something may be asked, counted by whom, where, and what if the count is away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xds.native.costs import ONE, Cost, CostError, constant, least, parse_cost
from xds.native.feature import Feature, Problem, Setting, Site

if TYPE_CHECKING:
    from xds.model import Operation, Parameter

PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}
"""Seconds. A month is 30 days, as the rate limit service has it; days begin at midnight UTC, weeks on a Thursday."""

LOCAL, SHARED = "local", "shared"
PARTS = 3
"""So many things may one limit be counted by at once."""
PER_OPERATION = 4
"""So many local limits, and as many shared ones, one operation may have: each local one is a filter of its own."""
PER_GATEWAY = 2


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit: `limit` a `per`, each bucket for one value of all that `by` names.

    `burst` is how many may come at once (local ones; None: `limit`). `closed` says that requests are refused while the
    count of a shared one is away (None: as the service's settings say). `owner` is who shares the bucket: the object that
    the limit was written on.
    """

    name: str
    by: tuple[str, ...]
    limit: int
    per: str
    store: str = LOCAL
    cost: Cost = ONE
    burst: int | None = None
    shadow: bool = False
    closed: bool | None = None
    owner: str = ""

    @property
    def seconds(self) -> int:
        return PERIODS[self.per]

    @property
    def bucket(self) -> str:
        """What tells its counts from those of all other limits."""
        return f"{self.owner}/{self.name}"

    def fails_closed(self, usually: bool) -> bool:
        """Whether requests are refused while the count of a shared limit is away; a shadow refuses none, whatever it says."""
        return not self.shadow and (usually if self.closed is None else self.closed)

    def __str__(self) -> str:
        by = " and ".join(self.by) or "everybody together"
        where = "in the shared store" if self.store == SHARED else "in this proxy"
        return f"{self.name}: {self.limit} a {self.per} by {by}, {where}" + (", counted only" if self.shadow else "")


Quotas = tuple[tuple[RateLimit, ...], ...]
"""What local limits count up to, by the filter that counts."""


@dataclass(frozen=True, slots=True)
class RateLimitService:
    """Where shared limits are counted, how many seconds a request waits for it, and what becomes of requests while it is
    away, for limits that do not say it themselves."""

    host: str
    port: int
    closed: bool = False
    timeout: float = 0.005


ITEM: Mapping[str, Any] = {
    "type": "object",
    "description": "one limit: {name: per-client, by: [client], limit: 100, per: minute}",
    "required": ["name", "limit", "per"],
    "additionalProperties": False,
    "properties": {
        "name": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9-]{0,62}$",
            "description": "what clients, logs and metrics call it: small letters, digits and `-`",
        },
        "by": {
            "type": "array",
            "maxItems": PARTS,
            "description": "what a bucket is for; [] is one bucket for all",
            "items": {
                "type": "string",
                "pattern": "^(client|address|claim:[A-Za-z0-9_.-]+|header:[A-Za-z0-9-]+|param:[A-Za-z0-9_.-]+)$",
                "description": "`client`, `address`, `claim:NAME`, `header:NAME` or `param:NAME`",
            },
        },
        "limit": {"type": "integer", "minimum": 1, "maximum": 1_000_000_000, "description": "how many, at least one"},
        "per": {"enum": list(PERIODS), "description": "second, minute, hour, day, week or month (30 days)"},
        "store": {"enum": [LOCAL, SHARED], "description": "local: each proxy counts for itself; shared: all together"},
        "cost": {
            "type": ["string", "integer"],
            "minimum": 1,
            "description": "what a request takes, 1 if left out: 5, or an expression as ceil(param.limit / 10)",
        },
        "burst": {"type": "integer", "minimum": 1, "maximum": 1_000_000_000, "description": "how many at once (local)"},
        "shadow": {"type": "boolean", "description": "count and tell, but never refuse"},
        "onFailure": {"enum": ["open", "closed"], "description": "what becomes of requests while the store is away"},
        "scope": {
            "enum": ["operation"],
            "description": "operation: each has a bucket of its own; left out: all below the object share one",
        },
    },
}

SCHEMA: Mapping[str, Any] = {"type": "array", "items": ITEM, "description": "limits; all must have room"}


def read_limits(value: list[Mapping[str, Any]], owner: str) -> tuple[RateLimit, ...]:
    """Limits of a list that the schema takes; those of one operation each are given its name later (`owned`)."""
    return tuple(_limit(item, owner) for item in value)


def _limit(item: Mapping[str, Any], owner: str) -> RateLimit:
    return RateLimit(
        name=item["name"],
        by=tuple(dict.fromkeys(item.get("by", ()))),
        limit=item["limit"],
        per=item["per"],
        store=item.get("store", LOCAL),
        cost=_cost(item.get("cost", 1)),
        burst=item.get("burst"),
        shadow=item.get("shadow", False),
        closed={"open": False, "closed": True}.get(item.get("onFailure", "")),
        owner="" if item.get("scope") == "operation" else owner,
    )


def _cost(written: str | int) -> Cost:
    try:
        return parse_cost(str(written))
    except CostError:
        return ONE  # `check` refuses the contract


_KEPT = 10_000
_kept: dict[int, tuple[Setting, tuple[RateLimit, ...]]] = {}
"""By identity: all operations below an object hold the same setting, and by this the same limits."""


def _placed(setting: Setting) -> tuple[RateLimit, ...]:
    """A list that the document holds is one object's, whichever operations it holds for; a rule's is each operation's."""
    known = _kept.get(id(setting))
    if known is None or known[0] is not setting:
        if len(_kept) >= _KEPT:
            _kept.clear()
        at = setting.place
        limits = read_limits(setting.value, "" if setting.rule else f"{at.file}#{at.pointer}")
        known = _kept[id(setting)] = setting, limits
    return known[1]


def owned(limit: RateLimit, operation: str) -> RateLimit:
    """A limit with its owner; `operation` is the full name of the one that asks."""
    return limit if limit.owner else replace(limit, owner=operation)


def _check(value: tuple[RateLimit, ...], operation: Operation, site: Site) -> Iterator[Problem]:
    written = operation.settings["rateLimits"].value
    for store in (LOCAL, SHARED):
        if (count := sum(limit.store == store for limit in value)) > PER_OPERATION:
            yield Problem(f"an operation has at most {PER_OPERATION} {store} limits, these are {count}")
    for index, (limit, item) in enumerate(zip(value, written, strict=True)):
        for problem in limit_problems(limit, item, value[:index], site.has):
            yield replace(problem, pointer=f"/{index}{problem.pointer}")
        for at, by in enumerate(limit.by):
            if wrong := _by_problem(by, operation):
                yield Problem(wrong, f"/{index}/by/{at}")
        for name in limit.cost.parameters:
            if wrong := _parameter_problem(name, operation, ("query", "header")) or _no_number(name, operation):
                yield Problem(wrong, f"/{index}/cost")


def limit_problems(
    limit: RateLimit, item: Mapping[str, Any], before: tuple[RateLimit, ...], has: frozenset[str]
) -> Iterator[Problem]:
    """What is wrong with a limit wherever it is written. `before` are those above it in its list."""
    if any(limit.name == other.name for other in before):
        yield Problem(f"two limits are called `{limit.name}`", "/name")
    if limit.store == SHARED and "rateLimit" not in has:
        help_ = 'in sidegate.yaml: rateLimit: {service: "127.0.0.1:8082"}'
        yield Problem("a shared limit needs a rate limit service", "/store", help_, "rate-limit-service")
    if limit.store == SHARED and limit.burst is not None:
        yield Problem("`burst` is of local limits: a shared one counts whole periods", "/burst")
    if limit.store == LOCAL and "onFailure" in item:
        yield Problem("`onFailure` is of shared limits: a local one asks nobody", "/onFailure")
    if "cost" in item:
        try:
            parse_cost(str(item["cost"]))
        except CostError as error:
            help_ = "numbers, param.NAME, + - * /, ceil(x), floor(x), min(x, y), max(x, y), default(param.NAME, 20)"
            yield Problem(f"`cost`: {error}", "/cost", help_)
    most = limit.limit if limit.burst is None else limit.burst
    cost = constant(limit.cost)
    if (lowest := least(limit.cost)) > most:
        more = "" if cost is not None else " or more"
        yield Problem(f"a request costs {lowest:g}{more}, and there is room for {most} at most", "/cost")
    elif cost is not None and cost <= 0:
        help_ = "an operation that costs nothing needs no limit; every request takes 1 at least"
        yield Problem(f"a request costs {cost:g}", "/cost", help_)


def _by_problem(by: str, operation: Operation) -> str | None:
    kind, _, name = by.partition(":")
    asked = [credential for alternative in operation.security for credential in alternative.credentials]
    if kind == "claim" and not any(credential.kind == "jwt" for credential in asked):
        return f"`{by}`: {operation.method} {operation.path.text} asks for no token"
    spent = {"authorization", *(each.name for each in asked if each.place == "header")}
    if kind in ("header", "param") and name.lower() in spent:
        return f"`{by}`: it is a credential, which nobody sees once it is checked; count by `client`, who it is of"
    if kind != "param":
        return None
    return _parameter_problem(name, operation, ("query", "header", "path")) or _spellings(name, operation)


def _spellings(name: str, operation: Operation) -> str | None:
    """Of objects, lists of numbers and documents nothing here tells which texts mean the same; each would be a bucket."""
    found = parameter(operation, name)
    if found is None:
        return None
    types, items = found.shape.types, found.shape.items
    listed = "array" in types and (items is None or items.types != {"string"})
    if "string" in types or not (found.media_type or "object" in types or listed):
        return None
    return f"`{name}` can be written in many ways that mean the same; count by a text, a number or a list of texts"


def _no_number(name: str, operation: Operation) -> str | None:
    found = parameter(operation, name)
    if found is None or found.shape.types & {"integer", "number"}:
        return None
    return f"`{name}` is no number: of a request whose parameter is none, all that there is would be taken"


def _parameter_problem(name: str, operation: Operation, locations: tuple[str, ...]) -> str | None:
    """Envoy has query parameters and headers by name; a path only as a whole, which is enough for its only variable."""
    where = f"{operation.method} {operation.path.text}"
    found = parameter(operation, name)
    if found is None:
        return f"{where} has no parameter `{name}`"
    variables = sum(each.location == "path" for each in operation.parameters)
    if found.location not in locations or (found.location == "path" and variables > 1):
        return f"`{name}` is in {where}'s {found.location}: the proxy can count by parameters in " + " or ".join(
            locations
        )
    return None


def parameter(operation: Operation, name: str) -> Parameter | None:
    """The parameter that limits mean by a name."""
    return next((p for p in operation.parameters if p.name in (name, name.lower()) and p.location != "cookie"), None)


RATE_LIMITS = Feature(
    key="rateLimits",
    field="rate_limits",
    schema=SCHEMA,
    read=lambda value: read_limits(value, ""),
    read_setting=_placed,
    check=_check,
    said=lambda value: "; ".join(map(str, value)),
)
