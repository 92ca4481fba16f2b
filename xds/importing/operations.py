"""Methods -> operations as they will be: each concern is asked in turn, and what none can carry over is refused."""

from __future__ import annotations

from xds.importing import validators
from xds.importing.authorizers import asked
from xds.importing.caching import cache
from xds.importing.contract import Made
from xds.importing.export import Method
from xds.importing.integrations import Carried, carried
from xds.importing.keys import put
from xds.importing.part import Part
from xds.importing.plans import unheld
from xds.importing.throttling import Limit, throttle
from xds.importing.upstreams import Target, public_path, target, upstream
from xds.importing.work import Work
from xds.native.targets import VARIABLE


def operations(work: Work) -> list[tuple[Made, Carried]]:
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


def _has_cors(work: Work, method: Method) -> bool:
    return "cors" in work.document or "cors" in work.paths.get(method.path, {})


def _target(work: Work, made: Made, what: Carried) -> None:
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


def _host(work: Work, what: Carried, found: Target, part: Part) -> str:
    """The host that the service reads: the one that AWS asked for, unless each stage has another."""
    targets = [t for stage in work.stages or (work.stage,) if (t := target(what.uri, stage))]
    each = {t.origin for t in targets}
    if len({t.path for t in targets}) > 1:
        help_ = "let the path be the same in every stage, and only the host a variable"
        work.notes.lost(
            part, f"the path differs between stages, and contracts are the same in all: {found.path} is taken", help_
        )
    name = found.origin.partition("://")[2]
    if len(each) > 1 and not work.hosts:
        help_ = "`rewrite: {host: NAME}` where the service tells hosts apart"
        message = "AWS asks the service by its own name; its host differs between stages, so that it reads the public one here"
        work.notes.differs(part, message, help_)
        work.hosts = True
    return name if len(each) == 1 and upstream(found.origin, "") == found.origin else ""


def _query(work: Work, made: Made, found: Target) -> None:
    fixed = dict(pair.partition("=")[::2] for pair in found.query.split("&") if pair)
    if fixed:
        put(made.keys, "query", {"set": fixed}, work.notes, made.method.integration, f"{made.method.where}: its query")


def _limits(work: Work, made: list[Made]) -> None:
    """Throttling of the stage: the document's list where it holds for all, else the operation's own. Usage plans are
    in the settings."""
    every = throttle(work.stage, None, work.notes)
    if every is None:
        work.closed = f"stage {work.stage.name if work.stage else ''} throttles everything to nothing"
        for one in made:
            one.refused = one.refused or work.closed
    common = every or []
    unheld(work.plans, any(one.wanted.key for one in made), work.notes)
    if common:
        put(work.document, "rateLimits", common, work.notes, work.export.top, "throttling")
    for one in made:
        _own_limits(work, one, common)


def _own_limits(work: Work, one: Made, common: list[Limit]) -> None:
    method = one.method
    own = throttle(work.stage, method, work.notes)
    if own is None:
        one.refused = one.refused or "the stage throttles it to nothing"
    if own and own != common:
        put(one.keys, "rateLimits", own, work.notes, method.part, f"{method.where}: throttling")
