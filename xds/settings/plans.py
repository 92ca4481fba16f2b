"""`plans` of sidegate.yaml -> Plan: limits for the consumers whose keys name it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from xds.model import KeyScheme, Scheme
from xds.native.faults import faults
from xds.native.plans import NAME, PER_PLAN, SCHEMA, Plan
from xds.native.rates import LOCAL, SHARED, RateLimit, RateLimitService, limit_problems, read_limits
from xds.settings.reader import Reader
from xds.source.pointer import escape


def named(reader: Reader) -> tuple[str, ...]:
    """The plans that the section has, whatever stands in them."""
    top = reader.document.value
    section = top.get("plans") if isinstance(top, dict) else None
    return tuple(map(str, section)) if isinstance(section, dict) else ()


def plans(reader: Reader, value: Any, service: RateLimitService | None) -> tuple[Plan, ...]:
    """The plans by name, without those that are refused."""
    section = reader.mapping(value, "/plans")
    return tuple(filter(None, (_plan(reader, str(name), section[name], service) for name in sorted(section))))


def _plan(reader: Reader, name: str, value: Any, service: RateLimitService | None) -> Plan | None:
    at = f"/plans/{escape(name)}"
    if not NAME.fullmatch(name):
        reader.say("settings-invalid", "a plan is called by small letters, digits and `-`", at)
        return None
    found = list(faults(value, SCHEMA))
    for problem in found:
        code = "settings-unknown-key" if problem.code == "extension-unknown" else "settings-invalid"
        reader.say(code, problem.message, at + problem.pointer, problem.help)
    if found:
        return None
    written = value.get("rateLimits", [])
    limits = tuple(replace(limit, by=("client",)) for limit in read_limits(written, f"plan/{name}"))
    _judged(reader, limits, written, f"{at}/rateLimits", service)
    return Plan(name, limits)


def _judged(
    reader: Reader, limits: tuple[RateLimit, ...], written: list[Any], at: str, service: RateLimitService | None
) -> None:
    has = frozenset(("rateLimit",)) if service else frozenset[str]()
    for index, (limit, item) in enumerate(zip(limits, written, strict=True)):
        for problem in limit_problems(limit, item, limits[:index], has):
            code = problem.code if problem.code == "rate-limit-service" else "settings-invalid"
            reader.say(code, problem.message, f"{at}/{index}{problem.pointer}", problem.help)
    for store in (LOCAL, SHARED):
        if (count := sum(limit.store == store for limit in limits)) > PER_PLAN:
            reader.say("settings-invalid", f"a plan has at most {PER_PLAN} {store} limits, these are {count}", at)


def one_plan_each(reader: Reader, schemes: Iterable[Scheme]) -> None:
    """A consumer may have keys in several files, and has one plan."""
    known: dict[str, str] = {}
    for scheme, consumer, plan in _named_by_keys(schemes):
        if known.setdefault(consumer, plan) != plan:
            message = f"the consumer {consumer} has the plan {known[consumer]}, and by another key the plan {plan}"
            reader.say("keys-invalid", message, f"/security/{escape(scheme)}/keys")


def _named_by_keys(schemes: Iterable[Scheme]) -> Iterator[tuple[str, str, str]]:
    for scheme in schemes:
        for key in scheme.keys if isinstance(scheme, KeyScheme) else ():
            if key.plan is not None:
                yield scheme.name, key.consumer, key.plan
