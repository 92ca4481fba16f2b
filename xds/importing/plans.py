"""Usage plans -> `plans` of sidegate.yaml: throttle and quota of each, for the consumers whose keys name it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.importing.export import Export, NoExport
from xds.importing.part import Notes, Part
from xds.importing.stages import Stage
from xds.importing.throttling import Limit, sized
from xds.native.plans import DEFAULT

_PERIODS = {"DAY": "day", "WEEK": "week", "MONTH": "month"}


@dataclass(slots=True)
class Plans:
    """The usage plans of one stage: `part` is where they stand, None if there are none; `each` what sidegate.yaml says."""

    part: Part | None = None
    each: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        """Whether one of them has a quota, which the rate limit service counts."""
        return any(
            limit.get("store") == "shared" for plan in self.each.values() for limit in plan.get("rateLimits", ())
        )


def read_plans(top: Part | None, export: Export, stage: Stage | None, notes: Notes) -> Plans:
    """Those that are of this API and stage, by name. Raises NoExport for another file."""
    found = Plans()
    if top is None:
        return found
    if not isinstance(top.get("items").value, list):
        raise NoExport(f"{top.document.file} lists no usage plans: it is what get-usage-plans prints")
    for part in top.get("items").each():
        if apis := _apis(part, export, stage):
            found.each[_name(part, found.each)] = _plan(part, apis, notes)
    if not found.each:
        notes.todo(top, "no usage plan is of this API and stage", "see apiStages in the file, and --stage")
        return found
    found.part = top
    return found


def unheld(plans: Plans, keyed: bool, notes: Notes) -> None:
    """Say whose keys have which plan, which nothing of AWS's files does; without an operation that asks for a key there
    is nobody to count, and the plans are left out."""
    if plans.part is None:
        return
    if not keyed:
        notes.lost(plans.part, "usage plans count by API key, and no operation that is carried over asks for one")
        plans.each.clear()
        return
    notes.todo(
        plans.part,
        f"which key has which plan is not in the file: {', '.join(plans.each)}",
        f"sidegate key new CONSUMER --plan {next(iter(plans.each))}; AWS refuses a key of no plan, here it has the plan"
        f" `{DEFAULT}` if there is one, else no plan's limits",
    )


def _apis(part: Part, export: Export, stage: Stage | None) -> list[Part]:
    wanted = stage.name if stage else export.stage
    return [
        api
        for api in part.get("apiStages").each()
        if api.text("apiId") in (export.id, "") or not export.id
        if not wanted or api.text("stage").lstrip("$") == wanted
    ]


def _name(part: Part, taken: Iterable[str]) -> str:
    """A plan's name here. None is `default`, which is the plan of everybody whose key names none."""
    slug = re.sub("[^a-z0-9]+", "-", part.text("name").lower()).strip("-")[:40].rstrip("-") or "usage"
    name = slug if slug[0].isalpha() and slug != DEFAULT else f"plan-{slug}"
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _plan(part: Part, apis: list[Part], notes: Notes) -> dict[str, Any]:
    limits = [*_throttle(part, notes), *_quota(part, notes)]
    methods = [key for api in apis for key, _ in api.get("throttle").items()]
    if methods:
        help_ = "`rateLimits` of the operation, by client, if it may hold whatever plan a key has"
        notes.lost(
            part, f"{part.text('name')}: limits of single methods have no equivalent: {', '.join(methods)}", help_
        )
    return {"rateLimits": limits} if limits else {}


def _throttle(part: Part, notes: Notes) -> list[Limit]:
    throttle = part.get("throttle")
    rate, burst = throttle.number("rateLimit"), throttle.number("burstLimit")
    if rate is None or rate < 0 or (burst is not None and burst < 0):
        return []
    if rate == 0 or burst == 0:
        _nothing(throttle, part.text("name"), "throttle", notes)
        return []
    return [{"name": "throttle", **sized(rate, burst)}]


def _quota(part: Part, notes: Notes) -> list[Limit]:
    quota = part.get("quota")
    limit, per = quota.number("limit"), _PERIODS.get(quota.text("period").upper())
    if limit is None or per is None:
        return []
    if limit < 1:
        _nothing(quota, part.text("name"), "quota", notes)
        return []
    if per != "day":
        message = f"a {per} begins on AWS's calendar; here a month is 30 days, and a week begins on Thursday"
        notes.differs(quota, message)
    if quota.number("offset"):
        notes.lost(quota, "a quota's `offset` (what the first period has less) has no equivalent")
    return [{"name": f"quota-{per}", "limit": int(limit), "per": per, "store": "shared", "onFailure": "closed"}]


def _nothing(part: Part, name: str, what: str, notes: Notes) -> None:
    notes.lost(part, f"{name}: a {what} of zero has no equivalent", "make no key of this plan, or revoke its keys")
