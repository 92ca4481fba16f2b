"""A digest is let go only when no route can name it: it was not in the last report, and is not needed."""

from __future__ import annotations

from sidecar.plan import MOST, Plan, next_plan, trimmed
from tests.projects import CONTRACT, compiled, pets
from xds.handshake import KEPT


def compilation(limit: int):
    return compiled(pets(contract=CONTRACT.replace("maximum: 100", f"maximum: {limit}")))


def digests(plan: Plan) -> list[str]:
    return plan.digests["pets/v1"]


def after(*limits: int, plan: Plan | None = None) -> Plan:
    plan = plan or Plan()
    for limit in limits:
        plan = next_plan(plan, compilation(limit))
    return plan


def test_nothing_goes_before_the_control_plane_answers():
    plan = after(*range(1, 11))
    assert len(digests(plan)) == 10
    assert plan.offered["pets/v1"] == digests(plan)[:KEPT]


def test_what_routes_name_stays_however_old():
    plan = after(*range(1, 11))
    oldest = digests(plan)[-1]
    less = trimmed(plan, plan.offered, {"pets/v1": [oldest]})
    assert digests(less) == [*digests(plan)[:KEPT], oldest]


def test_what_was_compiled_since_the_report_stays():
    reported = after(1, 2, 3, 4, 5)
    offered = reported.offered
    plan = after(6, 7, plan=reported)
    assert digests(trimmed(plan, offered, {})) == digests(plan)[:2] + digests(reported)[:KEPT]


def test_there_is_an_end_to_it():
    assert len(digests(after(*range(1, MOST + 5)))) == MOST


def test_a_service_that_is_gone_goes_once_no_route_names_it():
    plan = after(1)
    gone = Plan(plan.held, plan.bundles, frozenset())
    [digest] = digests(plan)
    assert digests(trimmed(gone, gone.offered, {"pets/v1": [digest]})) == [digest]
    assert trimmed(gone, gone.offered, {}).held == {}
