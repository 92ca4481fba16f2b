"""What is said of a cost without its parameters holds for all of them."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from xds.native.costs import Cost, constant, least

NUMBERS = st.floats(0, 1e6).map(lambda value: Cost("number", value=value))
PARAM = st.just(Cost("param", name="p"))
LEAVES = NUMBERS | PARAM | NUMBERS.map(lambda number: Cost("default", (Cost("param", name="p"), number)))


def _over(inner: st.SearchStrategy[Cost]) -> st.SearchStrategy[Cost]:
    two = st.builds(lambda op, *args: Cost(op, args), st.sampled_from(["+", "-", "*", "/", "min", "max"]), inner, inner)
    return two | st.builds(lambda op, arg: Cost(op, (arg,)), st.sampled_from(["ceil", "floor"]), inner)


def _with(cost: Cost, value: float) -> Cost:
    """The expression for one value of its parameter."""
    if cost.op in ("param", "default"):
        return Cost("number", value=value)
    return Cost(cost.op, tuple(_with(arg, value) for arg in cost.args), cost.value)


@given(st.recursive(LEAVES, _over, max_leaves=8), st.floats(0, 1e6))
def test_nothing_costs_less_than_the_least(cost: Cost, value: float) -> None:
    try:
        found = constant(_with(cost, value))
        lowest = least(cost)
    except (ZeroDivisionError, OverflowError):
        return
    assert found is not None
    assert found >= lowest or math.isclose(found, lowest, rel_tol=1e-9)
