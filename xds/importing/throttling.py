"""Stage throttling -> `rateLimits`; a rate a second -> a whole number a period."""

from __future__ import annotations

from typing import Any

from xds.importing.export import Method
from xds.importing.part import Notes
from xds.importing.stages import Stage

Limit = dict[str, Any]


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
    return [{"name": "stage-throttle", "by": [], **sized(rate, burst), "scope": "operation"}]


def sized(rate: float, burst: float | None) -> Limit:
    """How many a period, and how many at once, of a rate a second."""
    count, per = _whole(rate)
    limit: Limit = {"limit": count, "per": per}
    return {**limit, "burst": int(burst)} if burst is not None and burst >= 1 else limit


def _whole(rate: float) -> tuple[int, str]:
    """A rate a second as a whole number a period; never more than the rate, save that one an hour is the least."""
    for seconds, per in ((1, "second"), (60, "minute"), (3600, "hour")):
        if (rate * seconds).is_integer() or (seconds == 3600):
            return max(1, int(rate * seconds)), per
    return 1, "hour"
