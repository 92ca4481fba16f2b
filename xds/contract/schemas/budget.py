"""What validating one value can cost: cycles that never end, and choices that multiply."""

from __future__ import annotations

from collections.abc import Iterable

from xds.contract.report import Report

from .lowering import Lowering

MAX_SCHEMAS = 1_000_000
"""Schema objects of one contract."""

MAX_HERE = 20_000
"""Schema objects that one and the same value is checked against, references followed."""


def check(lowering: Lowering, reached: Iterable[str], report: Report) -> None:
    """Codes: `ref-cycle` (schemas that apply each other to the same value for ever), `schema-budget`."""
    costs: dict[str, int] = {}
    total = 0
    for uri in reached:
        total += lowering.done[uri].nodes
        if uri not in costs:
            _measure(uri, lowering, costs, report)
    if total > MAX_SCHEMAS:
        first = next(iter(lowering.done.values())).node
        report.add("schema-budget", f"the contract has more than {MAX_SCHEMAS:,} schemas", first)


def _measure(start: str, lowering: Lowering, costs: dict[str, int], report: Report) -> None:
    """Depth first without recursion; a root that is met while it is open applies itself to its own value."""
    done = lowering.done
    stack = [(start, iter(done[start].here))]
    open_ = {start: done[start].nodes}
    while stack:
        uri, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            stack.pop()
            costs[uri] = cost = open_.pop(uri)
            if cost > MAX_HERE:
                message = f"one value would be checked against {cost:,} schemas"
                report.add("schema-budget", message, done[uri].node, "schemas that multiply are refused")
                costs[uri] = 1  # said once, not again by whoever refers to it
            if stack:
                open_[stack[-1][0]] += costs[uri]
        elif following in open_:
            at = done[following].node
            report.add("ref-cycle", "this schema leads back to itself without taking the value apart", at)
        elif following in costs:
            open_[uri] += costs[following]
        else:
            stack.append((following, iter(done[following].here)))
            open_[following] = done[following].nodes
