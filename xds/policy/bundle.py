"""Project files -> Bundle: a service's policies and data, compiled once to see that they can be."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from xds.diagnostics import Diagnostic, Span, has_errors
from xds.source import load

from .compilation import check
from .negation import UnguardedError, spelled_out
from .outline import Outline, Rule, outline
from .plan import Reads
from .tokens import RegoSyntaxError, canonical, tokenize

EngineName = Literal["embedded", "opa"]
_DATA = ("data.json", "data.yaml", "data.yml")
_MEMO: dict[tuple[str, str], tuple[Bundle | None, tuple[Diagnostic, ...]]] = {}
"""By service and content, those asked for last at the end."""
_LEAST, _MOST = 256, 8192
"""How many are kept: two a service and no fewer than the first, or a change of one would compile those of all anew."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One service's policies: its folder and `platform`.

    `revision` is 16 hex digits over modules and data; `modules` maps a file to its text; `data` is the base document, with
    `policies/` as the root as OPA's bundles have it (`policies/catalog/data.json` is `data.catalog`); `default_entrypoint`
    decides operations that name no rule (None: there is none, or two); `rules` maps a rule's path to the places of its
    definitions. The rest is what the engines need to know of each rule: the places of `default` definitions, the input it
    reads, and the built-ins it calls that the embedded engine gets wrong for strings with escapes.
    """

    service: str
    revision: str
    modules: Mapping[str, str]
    data: Mapping[str, Any]
    default_entrypoint: str | None
    rules: Mapping[str, tuple[Span, ...]]
    defaults: frozenset[Span] = frozenset()
    open: Mapping[str, Span] = field(default_factory=dict)
    """Rules that hold without any condition, unless that is waived, and where."""
    reads: Mapping[str, Reads] = field(default_factory=dict)
    fragile: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wordings: Mapping[str, Mapping[str, Span]] = field(default_factory=dict)
    """By rule, the string constants in it and the definition that each is in."""
    steady: bool = False
    """Whether equal input always means an equal decision: no rule asks for the time, for chance or over the network."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Modules as the embedded engine is given them (tokens.canonical, negation.spelled_out)."""


def load_bundle(
    service: str, files: Mapping[str, bytes], engine: EngineName = "embedded"
) -> tuple[Bundle | None, tuple[Diagnostic, ...]]:
    """The bundle of a service from the files of a project (paths relative to its folder), or None and why not.

    `policies/<service>/**` and `policies/platform/**` are read: `.rego` except `*_test.rego`, and `data.json`,
    `data.yaml`. With `engine="opa"` a built-in that only the embedded engine lacks is no error. Equal files are compiled once.
    """
    own = {f: files[f] for f in sorted(files) if f.startswith((f"policies/{service}/", "policies/platform/"))}
    own = {f: own[f] for f in own if _is_module(f) or f.rsplit("/", 1)[-1] in _DATA}
    key = service, _digest([engine, *(part for f in own for part in (f, hashlib.sha256(own[f]).hexdigest()))])
    found = _MEMO.pop(key, None)
    if found is None:
        found = _load(service, own, engine)
        _make_room()
    _MEMO[key] = found
    return found


def _make_room() -> None:
    """For one more; only where something new was compiled, since counting services looks at all that is kept."""
    while len(_MEMO) >= _LEAST and len(_MEMO) >= min(_MOST, 2 * len({name for name, _ in tuple(_MEMO)})):
        _MEMO.pop(next(iter(_MEMO)), None)


def default_entrypoint(bundle: Bundle) -> str | Diagnostic | None:
    """The rule that decides operations which name none; a diagnostic (`policy-ambiguous`) if there are two; None if none."""
    found = _defaults(bundle.service, bundle.rules)
    if len(found) < 2:
        return found[0] if found else None
    names = [f"data.{path.replace('/', '.')}" for path in found]
    return Diagnostic(
        "policy-ambiguous",
        f"both {names[0]} and {names[1]} could decide, and no choice is made",
        bundle.rules[found[0]][0],
        f"say `x-sidegate: {{policy: {found[0]}}}` in the contract, or remove one of the rules",
        ((bundle.rules[found[1]][0], "the other one"),),
    )


def check_entrypoint(bundle: Bundle, path: str) -> Diagnostic | None:
    """Why a rule path (`catalog/authz/allow`) cannot decide: there is no such rule, or it allows everything; else None."""
    if path in bundle.open:
        return _allows_everything(path, bundle.open[path])
    if path in bundle.rules:
        return None
    near = difflib.get_close_matches(path, bundle.rules, 1, 0.6)
    message = f"the policies of {bundle.service} have no rule `{path}`"
    return Diagnostic("policy-unknown-rule", message, None, f"did you mean `{near[0]}`?" if near else None)


def _load(service: str, own: Mapping[str, bytes], engine: EngineName) -> tuple[Bundle | None, tuple[Diagnostic, ...]]:
    said: list[Diagnostic] = []
    texts, outlines = _modules(own, said)
    data = _data(own, said)
    rules = _rules(outlines)
    said += _conflicts(data, rules)
    said += _misspelt(service, rules)
    said += _open_defaults(service, outlines)
    if has_errors(said) or not texts:
        return None, tuple(said)
    programs = _programs(texts, outlines, engine, said)
    if has_errors(said):
        return None, tuple(said)
    plain = {o.file: canonical(texts[o.file], o.tokens) for o in outlines}
    checked = check(plain, programs, data, outlines, tuple(rules), engine)
    said += checked.diagnostics
    if has_errors(said):
        return None, tuple(said)
    defaults = _defaults(service, rules)
    revision = _digest([texts, data])
    bundle = Bundle(
        service=service,
        revision=revision,
        modules=texts,
        data=data,
        default_entrypoint=defaults[0] if len(defaults) == 1 else None,
        rules=rules,
        defaults=frozenset(r.span for o in outlines for r in o.rules if r.default),
        open={r.path: r.span for o in outlines for r in o.rules if r.allows and not r.waived},
        reads=checked.reads,
        fragile=checked.fragile,
        steady=checked.steady,
        wordings=_wordings(outlines),
        programs=programs,
    )
    return bundle, tuple(said)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _is_test(file: str) -> bool:
    return file.endswith("_test.rego")


def _is_module(file: str) -> bool:
    return file.endswith(".rego") and not _is_test(file)


def _modules(own: Mapping[str, bytes], said: list[Diagnostic]) -> tuple[dict[str, str], list[Outline]]:
    texts: dict[str, str] = {}
    outlines: list[Outline] = []
    for file in (f for f in own if f.endswith(".rego")):
        try:
            texts[file] = own[file].decode("utf-8")
        except UnicodeDecodeError:
            said.append(Diagnostic("rego-syntax", "the file is not UTF-8", Span(file)))
            continue
        found, problems = outline(file, texts[file])
        said += problems
        outlines += [found] if found else []
    return texts, outlines


def _programs(
    texts: Mapping[str, str], outlines: Iterable[Outline], engine: EngineName, said: list[Diagnostic]
) -> dict[str, str]:
    """The modules as the embedded engine is given them; an OPA is given the texts and needs no guards."""
    programs: dict[str, str] = {}
    for o in outlines:
        text = canonical(texts[o.file], o.tokens)
        try:
            guarded = spelled_out(text, tokenize(text))
            programs[o.file] = text if engine == "opa" else guarded
        except UnguardedError as e:
            if engine == "opa":
                programs[o.file] = text
                continue
            said.append(Diagnostic("rego-refused", e.message, Span(o.file, e.line, e.column), e.help))
        except RegoSyntaxError as e:
            said.append(Diagnostic("rego-unsafe", e.message, Span(o.file, e.line, e.column)))
    return programs


def _misspelt(service: str, rules: Mapping[str, tuple[Span, ...]]) -> Iterator[Diagnostic]:
    """Rules that are called almost like those that compilation asks for: a prohibition that nobody hears is none."""
    for path, spans in sorted(rules.items()):
        if path.startswith((f"{service}/config/", "platform/")) and not path.rpartition("/")[0].endswith("/settings"):
            name = path.rpartition("/")[2]
            near = [] if name in _COMPILED else difflib.get_close_matches(name, _COMPILED, 1, 0.75)
            if near:
                message = f"nothing asks for the rule `{name}` while compiling: `deny` forbids, `settings` gives"
                yield Diagnostic("rule-misspelt", message, spans[0], f"did you mean `{near[0]}`?")


_COMPILED = ("deny", "settings")


def _rules(outlines: Iterable[Outline]) -> dict[str, tuple[Span, ...]]:
    rules: dict[str, tuple[Span, ...]] = {}
    for rule in (r for o in outlines for r in o.rules if not r.function):
        rules[rule.path] = (*rules.get(rule.path, ()), rule.span)
    return dict(sorted(rules.items()))


def _wordings(outlines: Iterable[Outline]) -> dict[str, dict[str, Span]]:
    found: dict[str, dict[str, Span]] = {}
    for rule in (r for o in outlines for r in o.rules if not r.function):
        found.setdefault(rule.path, {}).update(dict.fromkeys(rule.strings, rule.span))
    return found


def _data(own: Mapping[str, bytes], said: list[Diagnostic]) -> dict[str, Any]:
    """The base document: each file's value at the path of its folder below `policies/`."""
    root: dict[str, Any] = {}
    for file in (f for f in own if not f.endswith(".rego")):
        document, problems = load(file, own[file])
        said += problems
        if document is None:
            continue
        if not isinstance(document.value, dict):
            said.append(Diagnostic("policy-data", "a data file holds an object", Span(file, 1, 1)))
            continue
        at = root
        for part in file.split("/")[1:-1]:
            at = at.setdefault(part, {})
        for key, value in document.value.items():
            if key in at:
                said.append(
                    Diagnostic("policy-data", f"`{key}` is also in another data file of this folder", Span(file, 1, 1))
                )
            at[key] = value
    return root


def _conflicts(data: Any, rules: Mapping[str, tuple[Span, ...]]) -> Iterable[Diagnostic]:
    """OPA refuses a rule at a path that the data holds, too."""
    for path, places in rules.items():
        at = data
        for part in path.split("/"):
            at = at.get(part, None) if isinstance(at, dict) else None
        if at is not None:
            message = f"data.{path.replace('/', '.')} is a rule here and a value in a data file"
            yield Diagnostic("policy-data", message, places[0])


def _open_defaults(service: str, outlines: Iterable[Outline]) -> Iterable[Diagnostic]:
    for rule in (r for o in outlines for r in o.rules):
        if rule.allows and not rule.waived and _decides(service, rule):
            yield _allows_everything(rule.path, rule.span)


def _decides(service: str, rule: Rule) -> bool:
    return not rule.function and rule.path.rsplit("/", 1)[-1] in ("allow", "allowed")


def _allows_everything(path: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "policy-open",
        f"`{path}` allows what no other rule decides",
        span,
        "begin with `default allow := false`; if this is meant, say so above it: `# sidegate: allow-default`",
    )


def _defaults(service: str, rules: Iterable[str]) -> list[str]:
    return [path for path in (f"{service}/authz/allow", "envoy/authz/allow") if path in set(rules)]
