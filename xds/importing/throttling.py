"""Stage throttling, usage plans and their quotas -> `rateLimits`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from xds.importing.export import Export, Method, NoExport
from xds.importing.part import Notes, Part
from xds.importing.stages import Stage

Limit = dict[str, Any]

_PERIODS = {"DAY": "day", "WEEK": "week", "MONTH": "month"}


@dataclass(slots=True)
class Plan:
    """What usage plans say of one stage: limits of every client, and those of single methods by `/path/VERB`."""

    limits: list[Limit] = field(default_factory=list)
    methods: dict[str, list[Limit]] = field(default_factory=dict)
    part: Part | None = None
    used: bool = False


def throttle(stage: Stage | None, method: Method | None, notes: Notes) -> list[Limit] | None:
    """The limit of a method, or of all methods (None): each method has a bucket of its own, for everybody together.

    None if nothing can ever pass, as a rate or a burst of zero has it.
    """
    if stage is None:
        return []
    part, rate, burst = stage.throttle(method)
    if rate is None or rate < 0 or (burst is not None and burst < 0):
        return []
    if rate == 0 or burst == 0:
        where = method.where if method else "every operation"
        notes.refused(
            part, f"stage {stage.name} throttles {where} to nothing; it is refused", "take it out of `refused`"
        )
        return None
    limit = _limit("stage-throttle", (), rate, burst)
    return [{**limit, "scope": "operation"}]


def _limit(name: str, by: tuple[str, ...], rate: float, burst: float | None) -> Limit:
    count, per = _whole(rate)
    limit: Limit = {"name": name, "by": list(by), "limit": count, "per": per}
    return {**limit, "burst": int(burst)} if burst is not None and burst >= 1 else limit


def _whole(rate: float) -> tuple[int, str]:
    """A rate a second as a whole number a period; never more than the rate, save that one an hour is the least."""
    for seconds, per in ((1, "second"), (60, "minute"), (3600, "hour")):
        if (rate * seconds).is_integer() or (seconds == 3600):
            return max(1, int(rate * seconds)), per
    return 1, "hour"


def read_plans(top: Part | None, export: Export, stage: Stage | None, notes: Notes) -> Plan:
    """The usage plans of a stage as one: where several say how much a client may ask, the smallest counts."""
    plan = Plan()
    if top is None:
        return plan
    if not isinstance(top.get("items").value, list):
        raise NoExport(f"{top.document.file} lists no usage plans: it is what get-usage-plans prints")
    found = [(part, api) for part in top.get("items").each() for api in _apis(part, export, stage)]
    if not found:
        notes.todo(top, "no usage plan is of this API and stage", "see apiStages in the file, and --stage")
        return plan
    plan.part = top
    for part, api in found:
        name = "plan-" + (re.sub("[^a-z0-9]+", "-", part.text("name").lower()).strip("-")[:50] or "usage")
        _throttled(plan.limits, name, part.get("throttle"))
        _quota(plan, name, part.get("quota"), notes)
        for key, own in api.get("throttle").items():
            _throttled(plan.methods.setdefault("/" + key.strip("/"), []), f"{name}-method", own)
    if len(found) > 1:
        names = ", ".join(part.text("name") for part, _ in found)
        help_ = "a policy can tell consumers apart (`input.sidegate.consumer`); so can two contracts on two hosts"
        notes.lost(
            top, f"{names}: a limit holds for every client, not for a plan's; the smallest of each counts", help_
        )
    plan.limits = _smallest(plan.limits)
    plan.methods = {key: _smallest(limits) for key, limits in plan.methods.items()}
    return plan


def _apis(part: Part, export: Export, stage: Stage | None) -> list[Part]:
    wanted = stage.name if stage else export.stage
    return [
        api
        for api in part.get("apiStages").each()
        if api.text("apiId") in (export.id, "") or not export.id
        if not wanted or api.text("stage").lstrip("$") == wanted
    ]


def _throttled(limits: list[Limit], name: str, part: Part) -> None:
    rate, burst = part.number("rateLimit"), part.number("burstLimit")
    if rate is not None and rate > 0:
        limits.append(_limit(name, ("client",), rate, burst))


def _quota(plan: Plan, name: str, part: Part, notes: Notes) -> None:
    limit, per = part.number("limit"), _PERIODS.get(part.text("period").upper())
    if limit is None or limit < 1 or per is None:
        return
    plan.limits.append(
        {
            "name": f"{name}-{per}",
            "by": ["client"],
            "limit": int(limit),
            "per": per,
            "store": "shared",
            "onFailure": "closed",
        }
    )
    if per != "day":
        notes.differs(part, f"a {per} begins on AWS's calendar; here a month is 30 days, and a week begins on Thursday")
    if part.number("offset"):
        notes.lost(part, "a quota's `offset` (what the first period has less) has no equivalent")


def _smallest(limits: list[Limit]) -> list[Limit]:
    """One limit for each kind of store and period: the smallest."""
    seconds = {"second": 1, "minute": 60, "hour": 3600}
    best: dict[str, Limit] = {}
    for limit in limits:
        kind = "rate" if limit["per"] in seconds else limit["per"]
        size = limit["limit"] / seconds.get(limit["per"], 1)
        other = best.get(kind)
        if other is None or size < other["limit"] / seconds.get(other["per"], 1):
            best[kind] = limit
    return list(best.values())
