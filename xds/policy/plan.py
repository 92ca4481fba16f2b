"""OPA's IR plan -> what the embedded engine leaves unchecked, and which parts of the input are read.

The plan is the JSON that `regopy` saves (and `opa build -t plan` writes): functions of blocks of statements over numbered
locals, where local 0 is the input and local 1 is data. See https://www.openpolicyagent.org/docs/ir.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Path = tuple[str, ...]
Json = Mapping[str, Any]

_INPUT, _DATA = 0, 1
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Reads:
    """The input paths that a rule reads; each stands for its whole subtree. The empty path is the whole input."""

    paths: frozenset[Path]

    @classmethod
    def everything(cls) -> Reads:
        """Reads of a policy that cannot be known."""
        return cls(frozenset({()}))

    def touches(self, *path: str) -> bool:
        """Whether anything at, below or above that path is read."""
        return _touches(self.paths, path)


@lru_cache(maxsize=4096)
def _touches(paths: frozenset[Path], path: Path) -> bool:
    return any(p[: len(path)] == path[: len(p)] for p in paths)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something a plan must not hold. `file` is an index into the modules, `line` and `column` count from 1, 0 if unknown."""

    kind: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0


@dataclass
class _Function:
    """One function of the plan, its blocks flattened."""

    name: str
    params: list[int]
    returns: int
    statements: list[tuple[str, Json]]
    calls: set[str] = field(default_factory=set)


class Plan:
    """A plan, read once."""

    def __init__(self, plan: Json) -> None:
        self.strings: list[str] = [s["value"] for s in plan["static"]["strings"]]
        self.files: list[str] = [f["value"] for f in plan["static"].get("files", [])]
        self.builtins = {b["name"]: b["decl"] for b in plan["static"].get("builtin_funcs") or []}
        self.functions = {f["name"]: _function(f) for f in plan["funcs"]["funcs"]}
        self.entrypoints = {p["name"]: _flatten(p["blocks"]) for p in plan["plans"]["plans"]}

    def faults(self) -> Iterator[Fault]:
        """Calls of functions that are not there or take other arguments, variables that nothing binds, recursion.

        All of them make the embedded engine answer "undefined" where OPA refuses to compile, and `not undefined` is true.
        """
        for function in self.functions.values():
            yield from self._unbound(function)
            yield from self._unknown(function)
        yield from self._recursion()

    def reads(self, entrypoint: str) -> Reads:
        """What of the input a rule reads. Everything, if it is not a rule of the plan or its plan is not understood."""
        start = self.entrypoints.get(entrypoint)
        if start is None:
            return Reads.everything()
        roots = [s["func"] for kind, s in start if kind == "CallStmt"]
        reached = self._reached(roots)
        if reached is None:
            return Reads.everything()
        return Reads(_minimal(_Flow(self, reached).paths(roots)))

    def calls(self, entrypoint: str) -> set[str]:
        """The built-ins that a rule calls, itself or through other rules."""
        start = self.entrypoints.get(entrypoint, [])
        reached = self._reached([s["func"] for kind, s in start if kind == "CallStmt"])
        if reached is None:
            return set(self.builtins) | {"unknown"}
        return {
            s["func"] for f in reached for kind, s in f.statements if kind == "CallStmt" and self._judges_text(f, s)
        }

    def _judges_text(self, function: _Function, call: Json) -> bool:
        """Whether a call is of a built-in whose answer may hang on how text is spelled; an order with a number does not."""
        if call["func"] not in _ORDERS:
            return call["func"] not in self.functions
        numbers = {
            s["result" if kind == "CallStmt" else "target"]
            for kind, s in function.statements
            if kind.startswith("MakeNumber") or (kind == "CallStmt" and s["func"] in _NUMERIC)
        }
        return not any(_local(argument) in numbers for argument in call["args"])

    def _reached(self, roots: list[str]) -> list[_Function] | None:
        seen: dict[str, _Function] = {}
        todo = list(roots)
        while todo:
            function = self.functions.get(todo.pop())
            if function is None or function.name in seen:
                continue
            if any(kind not in _KNOWN for kind, _ in function.statements):
                return None
            seen[function.name] = function
            todo += function.calls
        return list(seen.values())

    def _fault(self, kind: str, message: str, statement: Json) -> Fault:
        if "row" not in statement:
            return Fault(kind, message)
        file = self.files[statement["file"]] if statement.get("file", -1) in range(len(self.files)) else ""
        return Fault(kind, message, file, statement["row"] + 1, statement["col"] + 1)

    def _unbound(self, function: _Function) -> Iterator[Fault]:
        bound = {_INPUT, _DATA, function.returns, *function.params}
        for kind, statement in function.statements:
            names = ("key", "value") if kind == "ScanStmt" else ("target", "result")
            bound.update(statement[name] for name in names if name in statement)
        for kind, statement in function.statements:
            if any(local not in bound for local in _sources(kind, statement)):
                yield self._fault("unsafe", "a variable here is bound by nothing", statement)
                return

    def _unknown(self, function: _Function) -> Iterator[Fault]:
        for kind, statement in function.statements:
            if kind != "CallStmt":
                continue
            name, args = statement["func"], len(statement["args"])
            if callee := self.functions.get(name):
                if args not in (len(callee.params), len(callee.params) + 1):
                    message = f"`{_plain(name)}` takes {len(callee.params) - 2} arguments, not {args - 2}"
                    yield self._fault("arity", message, statement)
            elif name not in self.builtins and name not in _OPERATORS:
                yield self._fault("unknown", f"there is no function `{_plain(name)}`", statement)

    def _recursion(self) -> Iterator[Fault]:
        done: set[str] = set()
        for root in self.functions:
            trail: list[str] = []
            stack: list[tuple[str, bool]] = [(root, False)]
            while stack:
                name, leave = stack.pop()
                if leave:
                    trail.pop()
                    done.add(name)
                elif name in trail:
                    yield self._fault("recursion", f"`{_plain(name)}` depends on itself", self._head(name))
                    return
                elif name not in done and name in self.functions:
                    trail.append(name)
                    stack.append((name, True))
                    stack += [(callee, False) for callee in self.functions[name].calls]

    def _head(self, name: str) -> Json:
        return next((s for _, s in self.functions[name].statements if "row" in s), {})


class _Flow:
    """Where input paths flow to, in functions that call each other: a fixed point over sets of paths per local."""

    def __init__(self, plan: Plan, functions: list[_Function]) -> None:
        self.plan = plan
        self.functions = functions
        self.held: defaultdict[int, set[Path]] = defaultdict(set, {_INPUT: {()}})
        self.used: set[Path] = set()
        self.dotted: set[Path] = set()

    def paths(self, roots: list[str]) -> set[Path]:
        """All paths that are used as values, and those that are looked up and lead no further."""
        before = (-1, -1, -1)
        while before != (now := (sum(map(len, self.held.values())), len(self.used), len(self.dotted))):
            before = now
            for function in self.functions:
                for kind, statement in function.statements:
                    self._step(function, kind, statement)
        for root in roots:
            self.used |= self.held[self.plan.functions[root].returns] if root in self.plan.functions else {()}
        passed = {path[:-1] for path in self.dotted}
        return self.used | (self.dotted - passed)

    def _step(self, function: _Function, kind: str, s: Json) -> None:
        if kind == "DotStmt":
            self._dot(s)
        elif kind in ("AssignVarStmt", "AssignVarOnceStmt"):
            self.held[s["target"]] |= self._paths(s["source"])
        elif kind == "CallStmt" and s["func"] in self.plan.functions:
            self.held[s["result"]] |= self.held[self.plan.functions[s["func"]].returns]
            for argument in s["args"][2:]:
                self.used |= self._paths(argument)
        elif kind in ("ReturnLocalStmt", "IsDefinedStmt", "ResetLocalStmt"):
            return
        else:
            for local in _sources(kind, s):
                self.used |= self.held[local]

    def _dot(self, s: Json) -> None:
        paths = self._paths(s["source"])
        key = s["key"]
        self.used |= self._paths(key)
        if key["type"] != "string_index":
            self.used |= paths
            return
        name = _unquoted(self.plan.strings[key["value"]])
        for path in paths:
            if len(path) >= _MAX_DEPTH:
                self.used.add(path)
            else:
                self.held[s["target"]].add((*path, name))
                self.dotted.add((*path, name))

    def _paths(self, operand: Any) -> set[Path]:
        local = _local(operand)
        return self.held[local] if local is not None else set()


def _minimal(paths: set[Path]) -> frozenset[Path]:
    """The paths without those that lie below another."""
    kept: set[Path] = set()
    for path in sorted(paths, key=len):
        if not any(path[: len(k)] == k for k in kept):
            kept.add(path)
    return frozenset(kept)


def _function(f: Json) -> _Function:
    statements = _flatten(f["blocks"])
    calls = {s["func"] for kind, s in statements if kind == "CallStmt"}
    return _Function(f["name"], list(f["params"]), f["return"], statements, calls)


def _flatten(blocks: Any) -> list[tuple[str, Json]]:
    flat: list[tuple[str, Json]] = []
    todo = list(reversed(blocks or []))
    while todo:
        for statement in todo.pop()["stmts"]:
            inner = statement["stmt"]
            flat.append((statement["type"], inner))
            todo += reversed(inner.get("blocks") or [])
            if inner.get("block"):
                todo.append(inner["block"])
    return flat


def _local(operand: Any) -> int | None:
    """The local that an operand or a bare local number names."""
    if isinstance(operand, Mapping):
        return operand["value"] if operand.get("type") == "local" else None
    return operand if isinstance(operand, int) and not isinstance(operand, bool) else None


def _sources(kind: str, s: Json) -> Iterator[int]:
    """The locals that a statement reads."""
    for name in _KNOWN.get(kind, ("source", "a", "b", "value", "key", "array", "object")):
        value = s.get(name)
        for operand in value if isinstance(value, list) else (value,):
            local = _local(operand)
            if local is not None:
                yield local


def _unquoted(text: str) -> str:
    """A constant's value: the plan has it as it was spelled (tokens.canonical), in quotes or not."""
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    try:
        return str(json.loads(text if quoted else f'"{text}"', strict=False))
    except ValueError:
        return text


def _plain(name: str) -> str:
    return name.removeprefix("g0.data.").removeprefix("g0.")


_ORDERS = frozenset({"gt", "gte", "lt", "lte"})
_NUMERIC = frozenset({"abs", "ceil", "count", "floor", "mul", "plus", "product", "rem", "round", "sum", "to_number"})
_OPERATORS = frozenset(
    [
        "gt",
        "gte",
        "lt",
        "lte",
        "equal",
        "neq",
        "plus",
        "minus",
        "mul",
        "div",
        "rem",
        "and",
        "or",
        "internal.member_2",
        "internal.member_3",
        "eq",
        "assign",
        "print",
    ]
)
_KNOWN: dict[str, tuple[str, ...]] = {
    "ArrayAppendStmt": ("value",),
    "AssignIntStmt": (),
    "AssignVarOnceStmt": ("source",),
    "AssignVarStmt": ("source",),
    "BlockStmt": (),
    "BreakStmt": (),
    "CallStmt": ("args",),
    "DotStmt": ("source", "key"),
    "EqualStmt": ("a", "b"),
    "IsArrayStmt": ("source",),
    "IsDefinedStmt": ("source",),
    "IsObjectStmt": ("source",),
    "IsSetStmt": ("source",),
    "IsUndefinedStmt": ("source",),
    "LenStmt": ("source",),
    "MakeArrayStmt": (),
    "MakeNullStmt": (),
    "MakeNumberIntStmt": (),
    "MakeNumberRefStmt": (),
    "MakeObjectStmt": (),
    "MakeSetStmt": (),
    "NopStmt": (),
    "NotEqualStmt": ("a", "b"),
    "NotStmt": (),
    "ObjectInsertOnceStmt": ("key", "value"),
    "ObjectInsertStmt": ("key", "value"),
    "ObjectMergeStmt": ("a", "b"),
    "ResetLocalStmt": (),
    "ResultSetAddStmt": ("value",),
    "ReturnLocalStmt": (),
    "ScanStmt": ("source",),
    "SetAddStmt": ("value",),
    "WithStmt": ("value",),
}
