"""Export, stages and usage plans -> files of a project, and notes. Every concern has a module; this one asks them in turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xds.diagnostics import Diagnostic
from xds.importing import answers, cors, validators
from xds.importing.addresses import addresses
from xds.importing.authorizers import Scheme, asked, read_schemes
from xds.importing.caching import cache
from xds.importing.contract import Made, contract, unknown_extensions
from xds.importing.export import Export, Method, NoExport, read_export
from xds.importing.files import contract_file, layer_file, policy_files, settings_file
from xds.importing.integrations import Carried, carried
from xds.importing.keys import Keys, put
from xds.importing.part import Notes, Part
from xds.importing.rego import Access, entrypoint
from xds.importing.stages import Stage, read_stages, unknown_variables
from xds.importing.throttling import Limit, Plan, read_plans, throttle
from xds.importing.upstreams import Target, grouped, public_path, target, upstream
from xds.native.targets import VARIABLE
from xds.source import Document


@dataclass(frozen=True, slots=True)
class Sources:
    """What is imported. `service` is a name, or empty for one made of the title; `stage` the stage whose settings count,
    or empty for the export's; `base` a base path in place of the export's; `report` is what becomes of requests that AWS
    did not check: recorded (True) or enforced."""

    export: Document
    stages: Document | None = None
    plans: Document | None = None
    service: str = ""
    version: str = "v1"
    stage: str = ""
    base: str | None = None
    audiences: tuple[str, ...] = ()
    report: bool = True


@dataclass(frozen=True, slots=True)
class Imported:
    """A project's files by name, and what is to be said of them."""

    files: Mapping[str, bytes]
    notes: tuple[Diagnostic, ...]


@dataclass(slots=True)
class _Work:
    """What is known of the API while it is carried over."""

    export: Export
    sources: Sources
    stages: tuple[Stage, ...]
    stage: Stage | None
    plan: Plan
    schemes: Mapping[str, tuple[Scheme, ...]]
    notes: Notes
    base: str
    closed: str = ""
    hosts: bool = False
    document: Keys = field(default_factory=dict)
    paths: dict[str, Keys] = field(default_factory=dict)


def import_aws(sources: Sources) -> Imported:
    """Carry an API over. Raises NoExport."""
    notes = Notes()
    export = read_export(sources.export, notes)
    stages = read_stages(_top(sources.stages), notes)
    stage = _stage(export, stages, sources.stage, notes)
    plan = read_plans(_top(sources.plans), export, stage, notes)
    base = export.base if sources.base is None else sources.base.rstrip("/")
    schemes = read_schemes(export, sources.audiences, notes)
    work = _Work(export, sources, stages, stage, plan, schemes, notes, base)
    unknown_extensions(export.top, notes)
    _document(work)
    made = _operations(work)
    return Imported(_files(work, made), tuple(notes.found))


def _top(document: Document | None) -> Part | None:
    return Part(document, "", document.value) if document else None


def _stage(export: Export, stages: tuple[Stage, ...], wanted: str, notes: Notes) -> Stage | None:
    """The stage that was asked for, else the export's, else the only one."""
    by_name = {stage.name: stage for stage in stages}
    if wanted and stages and wanted not in by_name:
        raise NoExport(f"there is no stage {wanted} in the file of stages; there are {', '.join(by_name)}")
    found = by_name.get(wanted or export.stage) or (stages[0] if stages and not wanted else None)
    if found and len(stages) > 1:
        others = ", ".join(name for name in by_name if name != found.name)
        help_ = (
            f"import again with --stage and compare; sidegate.{others.split(', ')[0]}.yaml has what settings can say"
        )
        notes.differs(
            found.part, f"limits and cache are those of stage {found.name}: contracts are the same in {others}", help_
        )
    return found


def _document(work: _Work) -> None:
    """What holds for every operation."""
    export, keys, notes = work.export, work.document, work.notes
    work.closed = addresses(export, keys, notes)
    cors.of_api(export, keys, notes)
    for method in export.methods:
        if method.preflight:
            others = [m for m in export.methods if m.path == method.path and m is not method]
            cors.of_path(method, others, work.paths.setdefault(method.path, {}), notes)
    answers.errors(export, keys, notes)
    answers.compression(export, keys, notes)
    keys["timeout"] = "30s" if export.http else "29s"  # AWS's own default, and the longest that most APIs may have
    if not work.sources.report:
        return
    keys["undeclared"] = "pass"
    notes.differs(
        export.top,
        "AWS passes query parameters that nobody declared; so does `undeclared: pass`",
        "take it out to refuse them",
    )


def _operations(work: _Work) -> list[tuple[Made, Carried]]:
    """Every operation but preflights, which the proxy answers."""
    kinds: dict[validators.Checked, list[Method]] = {}
    found = []
    for method in work.export.methods:
        if method.preflight or (method.every and method.verb == "options" and _has_cors(work, method)):
            continue
        what = carried(method, work.notes)
        wanted = asked(work.export, method, work.schemes, work.notes)
        made = Made(method, wanted, dict(what.keys), what.answers, work.closed or wanted.refused or what.refused)
        _target(work, made, what)
        cache(work.stage, method, wanted, made.keys, work.notes)
        kind = validators.checked(work.export, method)
        kinds.setdefault(kind, []).append(method)
        found.append((made, what))
    validators.note(work.export, kinds, work.sources.report, work.notes)
    _limits(work, [made for made, _ in found])
    unchecked = kinds.get(validators.Checked.NOTHING, ())
    for made, _ in found:
        if work.sources.report and made.method in unchecked and not made.refused:
            made.keys["mode"] = "report"
    return found


def _has_cors(work: _Work, method: Method) -> bool:
    return "cors" in work.document or "cors" in work.paths.get(method.path, {})


def _target(work: _Work, made: Made, what: Carried) -> None:
    """Let the service be asked by its own path, and as the host that AWS names."""
    found = target(what.uri, work.stage) if what.uri else None
    if found is None or made.refused:
        return
    public, own, part = work.base + made.method.path, public_path(found, what.names), made.method.integration
    if strangers := set(VARIABLE.findall(own)) - set(VARIABLE.findall(public)):
        made.refused = f"the service has it at {own}"
        help_ = "write `rewrite: {path: ...}` in the public path's variables, and allow the operation in the policy"
        message = (
            f"{made.method.where} is asked for as {own}, where nothing says what {min(strangers)} is; it is refused"
        )
        work.notes.refused(part, message, help_)
        return
    value = {"path": own} if own != public and own != made.method.path else {}
    value = {"strip": work.base} if own != public and own == made.method.path else value
    if host := _host(work, what, found, part):
        value["host"] = host
    if value and not put(made.keys, "rewrite", value, work.notes, part, f"{made.method.where} as {own}"):
        made.refused = f"the service has it at {own}"
        work.notes.refused(part, f"{made.method.where}: the service would be asked for {public}; it is refused")
    _query(work, made, found)


def _host(work: _Work, what: Carried, found: Target, part: Part) -> str:
    """The host that the service reads: the one that AWS asked for, unless each stage has another."""
    each = {t.origin for stage in work.stages or (work.stage,) if (t := target(what.uri, stage))}
    name = found.origin.partition("://")[2]
    if len(each) > 1 and not work.hosts:
        help_ = "`rewrite: {host: NAME}` where the service tells hosts apart"
        message = "AWS asks the service by its own name; its host differs between stages, so that it reads the public one here"
        work.notes.differs(part, message, help_)
        work.hosts = True
    return name if len(each) == 1 and upstream(found.origin, "") == found.origin else ""


def _query(work: _Work, made: Made, found: Target) -> None:
    fixed = dict(pair.partition("=")[::2] for pair in found.query.split("&") if pair)
    if fixed:
        put(made.keys, "query", {"set": fixed}, work.notes, made.method.integration, f"{made.method.where}: its query")


def _limits(work: _Work, made: list[Made]) -> None:
    """Throttling of the stage and usage plans: the document's list where it holds for all, else the operation's own."""
    every = throttle(work.stage, None, work.notes)
    if every is None:
        work.closed = f"stage {work.stage.name if work.stage else ''} throttles everything to nothing"
        for one in made:
            one.refused = one.refused or work.closed
    common = every or []
    keyed = any(one.wanted.key for one in made)
    work.plan.used = keyed and any(limit.get("store") == "shared" for limit in work.plan.limits)
    if work.plan.part and not keyed:
        work.notes.lost(
            work.plan.part, "usage plans count by API key, and no operation that is carried over asks for one"
        )
    shared = [*common, *work.plan.limits] if keyed else common
    if shared:
        put(work.document, "rateLimits", shared, work.notes, work.export.top, "throttling")
    for one in made:
        _own_limits(work, one, common, shared)


def _own_limits(work: _Work, one: Made, common: list[Limit], shared: list[Limit]) -> None:
    method = one.method
    own = throttle(work.stage, method, work.notes)
    if own is None:
        one.refused = one.refused or "the stage throttles it to nothing"
    plan = (
        [*work.plan.limits, *work.plan.methods.get(f"{method.path}/{method.verb.upper()}", ())]
        if one.wanted.key
        else []
    )
    wanted = [*(own or common), *plan]
    if wanted == shared:
        return
    if (
        put(one.keys, "rateLimits", wanted, work.notes, method.part, f"{method.where}: throttling")
        and work.plan.limits
        and plan
    ):
        help_ = "a list of its own has buckets of its own; take it out to share the document's"
        work.notes.differs(method.part, f"{method.where}: a client's usage plan counts it apart from the others", help_)


def _files(work: _Work, operations: list[tuple[Made, Carried]]) -> dict[str, bytes]:
    name = work.sources.service or _slug(work.export.top.text("info", "title"))
    services = grouped([(made.method, what) for made, what in operations], work.stage, name)
    parts: dict[str, list[Made]] = {}
    uris: dict[str, list[Carried]] = {}
    for made, what in operations:
        found = target(what.uri, work.stage) if what.uri else None
        service = services.get(found.origin, name) if found else name
        parts.setdefault(service, []).append(made)
        uris.setdefault(service, []).append(what)
    _apart(work, parts)
    files = {}
    plain = {s.name: s.plain for listed in work.schemes.values() for s in listed if s.plain}
    for service, made_here in parts.items():
        keys = {**_policy(service), **work.document, **_hoisted(made_here)}
        document = contract(work.export, work.base, made_here, keys, work.paths, plain)
        files[f"contracts/{service}/{work.sources.version}.yaml"] = contract_file(document)
        files |= policy_files(service, _access(made_here))
    used = {name for listed in parts.values() for made in listed for name in made.wanted.schemes}
    security = {s.name: s.settings for listed in work.schemes.values() for s in listed if s.name in used}
    origins = {service: _origins(work, service, uris[service], work.stage) for service in parts}
    files["sidegate.yaml"] = settings_file(origins, security, work.plan.used)
    for stage in work.stages:
        own = {service: _origins(work, service, uris[service], stage) for service in parts}
        differing = {service: url for service, url in own.items() if url != origins[service]}
        files[f"sidegate.{stage.name}.yaml"] = layer_file(stage.name, differing)
    return files


def _policy(service: str) -> Keys:
    return {"policy": rule} if (rule := entrypoint(service)) else {}


def _hoisted(listed: list[Made]) -> Keys:
    """`rewrite` for the document, where every operation that asks the service has the same; it is taken off those."""
    asking = [made for made in listed if not made.refused and "mock" not in made.keys]
    values = [made.keys.get("rewrite") for made in asking]
    if len(values) < 2 or values[0] is None or any(value != values[0] for value in values):
        return {}
    for made in asking:
        del made.keys["rewrite"]
    return {"rewrite": values[0]}


def _apart(work: _Work, parts: dict[str, list[Made]]) -> None:
    """A path is one service's: operations of the same path that ask another one are left out."""
    taken: dict[str, str] = {}
    for service, listed in parts.items():
        for made in list(listed):
            owner = taken.setdefault(re.sub(r"\{[^{}]*\}", "{}", made.method.path), service)
            if owner != service:
                listed.remove(made)
                help_ = f"let {owner} answer it too, or give it a path of its own"
                work.notes.left_out(
                    made.method.part,
                    f"{made.method.where} asks {service}, the other methods of the path {owner}",
                    help_,
                )
    for service in [service for service, listed in parts.items() if not listed]:
        del parts[service]


def _origins(work: _Work, service: str, uris: Iterable[Carried], stage: Stage | None) -> str:
    """A service's upstream in a stage."""
    found = dict.fromkeys(t.origin for what in uris if what.uri and (t := target(what.uri, stage)))
    url = upstream(next(iter(found), ""), service)
    part = stage.part if stage else work.export.top
    if url.endswith(".invalid"):
        names = ", ".join(dict.fromkeys(n for what in uris for n in unknown_variables(what.uri)))
        why = (
            f"stage variables without a value: {names} (--stages FILE has them)"
            if names
            else "no HTTP service is named"
        )
        work.notes.todo(part, f"{service} has no upstream yet: {why}", f"write it in place of {url} in sidegate.yaml")
    elif len(found) > 1:
        work.notes.lost(
            part, f"{service} has {len(found)} upstreams in stage {stage.name if stage else ''}; {url} is taken"
        )
    return url


def _access(listed: Iterable[Made]) -> Access:
    access = Access()
    for made in listed:
        name, wanted = made.method.id, made.wanted
        if made.refused:
            access.refused[name] = made.refused
            continue
        groups = {(True, True): access.both, (True, False): access.token, (False, True): access.key}
        groups.get((wanted.token, wanted.key), access.everybody).append(name)
        if wanted.scopes:
            access.scopes[name] = wanted.scopes
    return access


def _slug(title: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
    return re.sub("^[0-9-]+", "", words)[:40].rstrip("-") or "api"
