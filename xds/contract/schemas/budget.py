"""What validating one value can cost: cycles that never end, and choices that multiply."""

from __future__ import annotations

from collections.abc import Iterable

from xds.contract.report import Finding, Report

from .lowering import Lowered, Lowering

MAX_SCHEMAS = 1_000_000
"""Schema objects of one contract."""

MAX_HERE = 20_000
"""Schema objects that one and the same value is checked against, references followed."""


def check(lowering: Lowering, reached: Iterable[str], report: Report) -> None:
    """Codes: `ref-cycle` (schemas that apply each other to the same value for ever), `schema-budget`."""
    done, total = lowering.done, 0
    for uri in reached:
        one = done[uri]
        total += one.nodes
        if not one.cost:
            _measure(uri, done)
        if one.problem is not None:
            report.findings.append(one.problem)
    if total > MAX_SCHEMAS:
        first = next(iter(done.values())).node
        report.add("schema-budget", f"the contract has more than {MAX_SCHEMAS:,} schemas", first)


def _measure(start: str, done: dict[str, Lowered]) -> None:
    """Depth first without recursion; a root that is met while it is open applies itself to its own value."""
    stack = [(start, iter(done[start].here))]
    open_ = {start: done[start].nodes}
    while stack:
        uri, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            stack.pop()
            one = done[uri]
            one.cost = max(1, open_.pop(uri))
            if one.cost > MAX_HERE:
                message = f"one value would be checked against {one.cost:,} schemas"
                one.problem = Finding("schema-budget", message, one.node.place, "schemas that multiply are refused")
                one.cost = 1  # said once, not again by whoever refers to it
            if stack:
                open_[stack[-1][0]] += one.cost
        elif following in open_:
            one = done[following]
            message = "this schema leads back to itself without taking the value apart"
            one.problem = Finding("ref-cycle", message, one.node.place)
        elif done[following].cost:
            open_[uri] += done[following].cost
        else:
            stack.append((following, iter(done[following].here)))
            open_[following] = done[following].nodes
