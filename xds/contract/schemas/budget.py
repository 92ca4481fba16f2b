"""What validating one value can cost: cycles that never end, and choices that multiply."""

from __future__ import annotations

from collections.abc import Sequence

from xds.contract.report import Finding, Report

from .lowering import Lowered, Lowering

MAX_SCHEMAS = 1_000_000
"""Schema objects of one contract."""

MAX_HERE = 20_000
"""Schema objects that one and the same value is checked against, references followed."""


def check(lowering: Lowering, reached: Sequence[str], report: Report) -> None:
    """Codes: `ref-cycle` (schemas that apply each other to the same value for ever), `schema-budget`.

    Costs are kept with the schemas. Which schema of a cycle is named depends on where measuring begins, so with anything
    to complain of all are measured anew.
    """
    done = lowering.done
    ones = [done[uri] for uri in reached]
    _measure_all(reached, ones, done)
    if [one for one in ones if one.problem is not None]:
        for one in ones:
            one.cost, one.problem = 0, None
        _measure_all(reached, ones, done)
        report.findings += [one.problem for one in ones if one.problem is not None]
    if sum([one.nodes for one in ones]) > MAX_SCHEMAS:
        report.add("schema-budget", f"the contract has more than {MAX_SCHEMAS:,} schemas", ones[0].node)


def _measure_all(uris: Sequence[str], ones: Sequence[Lowered], done: dict[str, Lowered]) -> None:
    if 0 in [one.cost for one in ones]:
        for uri, one in zip(uris, ones, strict=True):
            if not one.cost:
                _measure(uri, done)


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
