"""`ceil(param.limit / 10)` -> Cost: what a request takes of a limit, as an expression of its parameters.

The language is small: numbers, `param.NAME`, `+ - * /`, parentheses, `ceil(x)`, `floor(x)`, `min(x, y)`, `max(x, y)`, and
`default(param.NAME, number)` for where the parameter is left out, which else counts as 0. Whatever comes out is rounded up, and
is at least 1.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|param\.([A-Za-z0-9_-]+)|(ceil|floor|min|max|default)(?=\s*\()|([-+*/(),]))")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
_ARGUMENTS = {"ceil": 1, "floor": 1, "min": 2, "max": 2, "default": 2}
DEPTH, SIZE = 8, 100
"""So deep and so large may an expression be: CEL in Envoy nests no deeper than 32, and has no names for parts."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A node of the expression. `op` is a sign or a function's name with its `args`; `number` with `value`; `param` with
    `name`."""

    op: str
    args: tuple[Cost, ...] = ()
    value: float = 0.0
    name: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters in it, each once."""
        own = (self.name,) if self.op == "param" else ()
        return tuple(dict.fromkeys((*own, *(name for arg in self.args for name in arg.parameters))))

    @property
    def depth(self) -> int:
        return 1 + max((arg.depth for arg in self.args), default=0)

    @property
    def size(self) -> int:
        """How many numbers, parameters and signs it comes to where functions repeat their arguments."""
        times = 3 if self.op in ("ceil", "floor") else 2 if self.op in ("min", "max") else 1
        return 1 + times * sum(arg.size for arg in self.args)


ONE = Cost("number", value=1.0)


class CostError(ValueError):
    """The text is no expression; the message says why."""


def parse_cost(text: str) -> Cost:
    """An expression. Raises CostError."""
    reader = _Reader(list(_tokens(text)))
    cost = reader.sum(0)
    if reader.left:
        raise CostError(f"unexpected `{reader.left[0]}`")
    if _never(cost):
        raise CostError("it divides by zero")
    if cost.depth > DEPTH or cost.size > SIZE:
        raise CostError("the expression is too large")
    return cost


def least(cost: Cost) -> float:
    """What no request takes less of, whatever its parameters: those are 0 or more."""
    args = [least(arg) for arg in cost.args]
    match cost.op:
        case "number":
            return cost.value
        case "param" | "default":
            return 0.0
        case "-" | "/":
            known = constant(cost)
            return -math.inf if known is None else known
        case "ceil" | "floor" if math.isinf(args[0]):
            return args[0]
        case "*" if min(args) < 0:
            return -math.inf
    return float(_RESULTS[cost.op](*args))


def constant(cost: Cost) -> float | None:
    """What an expression without parameters comes to, before it is rounded up. Raises ZeroDivisionError."""
    if cost.op == "number":
        return cost.value
    if cost.op == "param":
        return None
    args = [constant(arg) for arg in cost.args]
    known = [arg for arg in args if arg is not None]
    if cost.op == "/" and args[1] == 0:
        raise ZeroDivisionError
    return _RESULTS[cost.op](*known) if len(known) == len(args) else None


_RESULTS: Mapping[str, Callable[..., float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "ceil": math.ceil,
    "floor": math.floor,
    "min": min,
    "max": max,
}


def _never(cost: Cost) -> bool:
    """Whether some part of it divides by a number that is zero."""
    try:
        constant(cost)
    except ZeroDivisionError:
        return True
    return False


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise CostError(f"`{text[at:].strip()[:20]}` is not of the language")
        yield found[0].strip()
        at = found.end()


@dataclass(slots=True)
class _Reader:
    """Precedence climbing over the tokens that are left."""

    left: list[str]

    def sum(self, least: int) -> Cost:
        found = self._factor()
        while self.left and _PRECEDENCE.get(self.left[0], 0) > least:
            sign = self.left.pop(0)
            found = Cost(sign, (found, self.sum(_PRECEDENCE[sign])))
        return found

    def _factor(self) -> Cost:
        if not self.left:
            raise CostError("the expression ends too early")
        token = self.left.pop(0)
        if token[0].isdigit():
            return Cost("number", value=float(token))
        if token.startswith("param."):
            return Cost("param", name=token.removeprefix("param."))
        if token in _ARGUMENTS:
            return Cost(token, self._arguments(token))
        if token == "(":
            inner = self.sum(0)
            self._expect(")")
            return inner
        raise CostError(f"unexpected `{token}`")

    def _arguments(self, function: str) -> tuple[Cost, ...]:
        self._expect("(")
        args = [self.sum(0)]
        while self.left and self.left[0] == ",":
            self.left.pop(0)
            args.append(self.sum(0))
        self._expect(")")
        if len(args) != _ARGUMENTS[function]:
            raise CostError(f"`{function}` takes {_ARGUMENTS[function]}, not {len(args)}")
        if function == "default" and [arg.op for arg in args] != ["param", "number"]:
            raise CostError("`default` takes a parameter and a number")
        return tuple(args)

    def _expect(self, sign: str) -> None:
        if not self.left or self.left.pop(0) != sign:
            raise CostError(f"a `{sign}` is missing")
