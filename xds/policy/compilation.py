"""Modules -> what the engine's compiler, and the checks that it leaves out, say of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Diagnostic, Span

from .negation import negations, spelled_out
from .outline import Call, Outline
from .plan import Fault, Plan, Reads
from .process import WorkerError, compile_modules
from .tokens import tokenize

_REMOVED = {
    "any": "use `some x in xs; x`",
    "all": "use `every x in xs { x }`",
    "re_match": "use `regex.match`",
    "net.cidr_overlap": "use `net.cidr_contains`",
    "set_diff": "use `a - b`",
    **{f"cast_{kind}": f"use `is_{kind}`" for kind in ("array", "set", "string", "boolean", "null", "object")},
}
_OPA_ONLY = frozenset(
    [
        "http.send",
        "net.lookup_ip_addr",
        "print",
        "trace",
        "strings.render_template",
        "json.match_schema",
        "json.verify_schema",
        "rego.metadata.rule",
        "rego.metadata.chain",
        "rego.parse_module",
        "opa.runtime",
        "graphql.parse",
        "graphql.is_valid",
        "graphql.parse_and_verify",
        "graphql.parse_query",
        "graphql.parse_schema",
        "graphql.schema_is_valid",
        "providers.aws.sign_req",
        "io.jwt.verify_eddsa",
        "rand.intn",
        "crypto.x509.parse_keypair",
        "time.format",
    ]
)
_WRONG = frozenset({"semver.compare", "semver.is_valid", "uri.is_valid", "uri.parse"})
"""Built-ins that regopy 1.5.2 has and answers otherwise than OPA's compliance cases; refused like those it lacks."""
_FAULTS = {"unknown": "rego-function", "arity": "rego-function", "unsafe": "rego-unsafe", "recursion": "rego-recursion"}
ESCAPE_SAFE = frozenset(
    [
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
        "abs",
        "array.concat",
        "array.reverse",
        "array.slice",
        "ceil",
        "concat",
        "floor",
        "intersection",
        "is_array",
        "is_boolean",
        "is_null",
        "is_number",
        "is_object",
        "is_set",
        "is_string",
        "numbers.range",
        "object.filter",
        "object.get",
        "object.keys",
        "object.remove",
        "object.subset",
        "object.union",
        "object.union_n",
        "product",
        "round",
        "startswith",
        "sum",
        "time.now_ns",
        "to_number",
        "type_name",
        "union",
        "walk",
    ]
)
"""Built-ins that are right for strings spelled with JSON's escapes, since they compare them for equality, join them, or
pass them on. The embedded engine keeps strings that way; `endswith` or the length of a string with a quote in it would be
wrong, so a decision that could need one is refused."""
VARYING = ("http.", "io.jwt.", "net.", "opa.", "print", "rand.", "time.now", "trace", "uuid.", "crypto.x509.")
"""Beginnings of the names of built-ins whose answer hangs on more than their arguments: the clock, chance, the network
(Rego, "Built-in functions", those marked non-deterministic, and those that check a validity in time)."""
_MOST_TRIED = 32
"""How many negations are tried one by one to name the one that is refused; each takes a process."""
_ERROR = re.compile(r"\(error \d+:(\d+)\.rego\|(\d+)\|(\d+)\s*\(errormsg \d+:([^\n]*?)\)\s*\n")


@dataclass(frozen=True, slots=True)
class Checked:
    """What compiling found: diagnostics, and by rule what it reads and which built-ins of it cannot judge escapes.

    `steady`: nothing but input and data decides, so that equal input means an equal answer.
    """

    diagnostics: tuple[Diagnostic, ...]
    reads: Mapping[str, Reads] = field(default_factory=dict)
    fragile: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    steady: bool = False


def check(
    plain: Mapping[str, str],
    programs: Mapping[str, str],
    data: Any,
    outlines: Iterable[Outline],
    rules: tuple[str, ...],
    engine: str,
) -> Checked:
    """Compile modules with the embedded engine; check functions, arguments, unbound variables, recursion, as it does not.

    Places are those of the `plain` text; `programs` are the same modules as the engine is given them, which it must take.
    """
    outlines = list(outlines)
    files = list(plain)
    names = _builtin_calls(outlines)
    try:
        compiled = compile_modules(_numbered(plain), data, rules, sorted(names), _numbered(programs))
    except WorkerError as e:
        return Checked((_refused(str(e), plain),))
    said = list(_missing([*compiled["missing"], *(_WRONG & names.keys())], names, engine))
    plan = Plan(compiled["plan"])
    if not said:
        said += [d for fault in plan.faults() if (d := _diagnostic(fault, files, engine))]
    if not said and compiled["refused"] is not None:
        said.append(_unguarded(compiled["refused"], plain, programs, data, rules))
    reads = {rule: plan.reads(rule) for rule in rules}
    fragile = {rule: tuple(sorted(plan.calls(rule) - ESCAPE_SAFE)) for rule in rules}
    steady = not any(called.startswith(VARYING) for called in (*plan.builtins, *names))
    return Checked(tuple(said), reads, fragile, steady)


def _numbered(texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{i}.rego": text for i, text in enumerate(texts.values())}


def _unguarded(
    text: str, plain: Mapping[str, str], programs: Mapping[str, str], data: Any, rules: tuple[str, ...]
) -> Diagnostic:
    """The negation that the engine takes as it is written, but not as it would have to be loaded."""
    changed = [file for file in plain if programs[file] != plain[file]]
    read = {file: tokenize(plain[file]) for file in changed}
    candidates = [(file, tokens, at) for file, tokens in read.items() for at in negations(tokens)]
    span = Span(changed[0])
    for file, tokens, at in candidates[:_MOST_TRIED]:
        try:
            tried = {**plain, file: spelled_out(plain[file], tokens, at)}
            compile_modules(_numbered(tried), data, rules, ())
        except WorkerError:
            span = Span(file, at.line, at.column)
            break
    words = text.splitlines()[0][:200] if text else "no reason given"
    message = f"the embedded engine cannot be given this `not` with OPA's meaning: {words}"
    return Diagnostic("rego-refused", message, span, "name what is negated first: `x := ...`, then `not x`")


_EMPTY_SET = "set"
"""`set()` is the literal of the empty set, written as a call: `{}` is an object."""


def _builtin_calls(outlines: Iterable[Outline]) -> dict[str, list[Call]]:
    """Calls by name, without those of functions that the modules define."""
    outlines = list(outlines)
    functions = {r.path for o in outlines for r in o.rules}
    found: dict[str, list[Call]] = {}
    for o in outlines:
        for call in o.calls:
            if call.name == _EMPTY_SET or _defined(call.name.split("."), o, functions):
                continue
            found.setdefault(call.name, []).append(call)
    return found


def _defined(parts: list[str], o: Outline, functions: set[str]) -> bool:
    if parts[0] in o.imports:
        parts = [*o.imports[parts[0]].split("/"), *parts[1:]]
    path = "/".join(parts[1:]) if parts[0] == "data" else f"{o.package}/{'/'.join(parts)}"
    return path in functions


def _opa_has(name: str) -> bool:
    return name in _OPA_ONLY | _WRONG or name.startswith(("net.", "graphql.", "providers.", "rego."))


def _missing(missing: Iterable[str], names: Mapping[str, list[Call]], engine: str) -> Iterator[Diagnostic]:
    for name in missing:
        for call in names[name]:
            if name in _REMOVED:
                yield Diagnostic("rego-v0", f"`{name}` is no part of Rego v1", call.span, _REMOVED[name])
            elif not _opa_has(name):
                yield Diagnostic("rego-function", f"there is no function `{name}`", call.span)
            elif engine != "opa":
                help_ = "decide this in an OPA: set `opa: {url: ...}` in sidegate.yaml"
                yield Diagnostic("rego-builtin", f"the embedded engine has no built-in `{name}`", call.span, help_)


def _diagnostic(fault: Fault, files: list[str], engine: str) -> Diagnostic | None:
    if fault.kind == "unknown" and engine == "opa" and _opa_has(fault.message.split("`")[1]):
        return None
    number = fault.file.removesuffix(".rego")
    span = Span(files[int(number)], fault.line, fault.column) if number.isdigit() else None
    return Diagnostic(_FAULTS[fault.kind], fault.message, span)


def _refused(text: str, programs: Mapping[str, str]) -> Diagnostic:
    """The engine's error tree as one diagnostic: the error with the narrowest place."""
    found = [(int(size), int(index), int(at), words) for index, at, size, words in _ERROR.findall(text)]
    if not found:
        words = text.splitlines()[0][:200] if text else "the engine refuses the policies"
        return Diagnostic("rego-refused", words, Span(next(iter(programs))))
    _, index, at, words = min(found)
    file, program = list(programs.items())[index]
    before = program.encode()[:at].decode(errors="replace")
    span = Span(file, before.count("\n") + 1, at - len(before[: before.rfind("\n") + 1].encode()) + 1)
    return Diagnostic("rego-syntax", words.strip() or "syntax error", span)
