"""Cost -> CEL: an expression of the parameters as Envoy computes it, from headers that hold them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from xds.native.costs import Cost

MOST = 1_000_000_000.0
"""Envoy takes no larger cost."""


def constant(cost: Cost) -> int | None:
    """The cost of a request if it is the same for all."""
    return max(1, math.ceil(cost.value)) if cost.op == "number" else None


def cel(cost: Cost, headers: Mapping[str, str], otherwise: int) -> str:
    """The cost as an integer, rounded up and at least 1.

    `headers` has for each parameter the header that holds it. A parameter that is no plain number costs
    `otherwise`, all that there is: what is read differently further on must not be cheap here. Nothing comes out of what
    overflows in between, or divides by zero: the caller writes `otherwise` before.
    """
    number = _number(cost, headers)
    up = f"(double(int({number})) < {number} ? int({number}) + 1 : int({number}))"
    bounded = f"{number} < {MOST} ? ({number} > 1.0 ? {up} : 1) : {otherwise}"
    sound = " && ".join(f"({_absent(h)} || {_plain(h)})" for h in _headers(cost, headers))
    return f"{sound} ? ({bounded}) : {otherwise}" if sound else bounded


def _headers(cost: Cost, headers: Mapping[str, str]) -> Iterable[str]:
    return (headers[name] for name in cost.parameters)


def _absent(header: str) -> str:
    return f"!('{header}' in request.headers)"


def _plain(header: str) -> str:
    return f"(request.headers['{header}'].matches('^[0-9]+$') && request.headers['{header}'].size() < 10)"


def _number(cost: Cost, headers: Mapping[str, str]) -> str:
    match cost.op:
        case "number":
            return repr(cost.value)
        case "param":
            return _value(headers[cost.name], 0.0)
        case "default":
            return _value(headers[cost.args[0].name], cost.args[1].value)
    args = [_number(arg, headers) for arg in cost.args]
    match cost.op:
        case "floor":
            return f"double(int({args[0]}))"  # nothing is below zero here but what ends as 1 in any case
        case "ceil":
            return f"(double(int({args[0]})) < {args[0]} ? double(int({args[0]})) + 1.0 : double(int({args[0]})))"
        case "min":
            return f"({args[0]} < {args[1]} ? {args[0]} : {args[1]})"
        case "max":
            return f"({args[0]} > {args[1]} ? {args[0]} : {args[1]})"
    return f"({args[0]} {cost.op} {args[1]})"


def _value(header: str, default: float) -> str:
    return f"({_absent(header)} ? {default!r} : double(request.headers['{header}']))"
