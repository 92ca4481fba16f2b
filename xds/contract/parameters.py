"""Parameter Objects -> the effective parameters of an operation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from xds.model import Location, Parameter, Shape
from xds.native import Setting

from .node import Node
from .report import suggestion
from .scope import Scope

_STYLES: dict[Location, tuple[str, ...]] = {
    # the first is the default
    Location.PATH: ("simple", "label", "matrix"),
    Location.QUERY: ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    Location.HEADER: ("simple",),
    Location.COOKIE: ("form",),
    Location.QUERYSTRING: (),
}
_LOCATIONS = tuple(str(location) for location in _STYLES)
_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

_Key = tuple[Location, str]


def effective(path_item: Node, operation: Node, scope: Scope) -> tuple[Parameter, ...]:
    """An operation's parameters: its own ones over the path item's, in the order of the text."""
    merged = {**_listed(path_item, scope), **_listed(operation, scope)}
    _querystring(merged, operation, scope)
    return tuple(merged.values())


def choosing(found: tuple[Parameter, ...], settings: Mapping[str, Setting]) -> tuple[Parameter, ...]:
    """With the query parameter by which requests name the version (`x-sidegate.version`), if nobody has declared it."""
    setting = settings.get("version")
    name = setting.value.get("query") if setting else None
    in_query = {p.name for p in found if p.location is Location.QUERY}
    if setting is None or name is None or name in in_query or any(p.location is Location.QUERYSTRING for p in found):
        return found
    text = Shape(frozenset({"string"}))
    return (*found, Parameter(name, Location.QUERY, False, None, text, "form", True, place=setting.place))


def _listed(owner: Node, scope: Scope) -> dict[_Key, Parameter]:
    listed = scope.report.sequence(owner, "parameters")
    found: dict[_Key, Parameter] = {}
    for item in listed.items() if listed is not None else ():
        node = scope.object(item, "a parameter")
        parameter = parse(node, scope) if node is not None else None
        if parameter is None or node is None:
            continue
        key = (parameter.location, parameter.name)
        if key in found:
            message = f"the {parameter.location} parameter {parameter.name!r} is listed twice"
            scope.report.add("parameter-duplicate", message, item, None, [(found[key].place, "first here")])
        found[key] = parameter
    return found


def parse(node: Node, scope: Scope) -> Parameter | None:
    """One Parameter Object; None if it is broken, or ignored by OpenAPI's own rule."""
    report, dialect = scope.report, scope.dialect
    report.fields(node, dialect.parameter, "a Parameter Object")
    name, where = report.text(node, "name"), report.text(node, "in")
    locations = _LOCATIONS if dialect.querystring else _LOCATIONS[:-1]
    if not name:
        report.add("parameter-field", "a parameter needs a `name`", node)
        return None
    if where not in locations:
        message = f"a parameter is in {', '.join(locations)}; not in {where!r}"
        report.add("parameter-field", message, node.get("in") or node, suggestion(where, locations))
        return None
    location = Location(where)
    if location is Location.HEADER:
        if not _TOKEN.fullmatch(name):
            report.add(
                "parameter-field",
                f"a header's name is a token (RFC 9110, 5.6.2); not {name!r}",
                node.get("name") or node,
            )
            return None
        name = name.lower()
        if name in _IGNORED_HEADERS:
            help = {"authorization": "use `security`"}.get(name, "the contract's media types decide")
            report.add("parameter-ignored", f"OpenAPI ignores a header parameter called {name!r}", node, help)
            return None
    required = report.flag(node, "required")
    if location is Location.PATH and not required:
        report.add("parameter-field", f"the path parameter {name!r} must be `required: true`", node)
    return value(node, name, location, required or location is Location.PATH, scope)


def value(node: Node, name: str, location: Location, required: bool, scope: Scope) -> Parameter:
    """The part of a parameter that Header Objects have too: how its text is read."""
    report = scope.report
    content, schema = report.mapping(node, "content"), node.get("schema")
    if content is not None and schema is not None:
        report.add("parameter-field", f"{name!r} has both `schema` and `content`", node.get("content") or node)
    if content is not None:
        return _content(node, content, name, location, required, scope)
    if schema is None:
        report.add("parameter-field", f"{name!r} has neither `schema` nor `content`", node)
    style = report.text(node, "style") or next(iter(_STYLES[location]), "")
    _check_style(node, style, location, scope)
    reference, shape = scope.schema(schema)
    return Parameter(
        name,
        location,
        required,
        reference,
        shape,
        style,
        report.flag(node, "explode", default=style in ("form", "cookie")),
        report.flag(node, "allowReserved"),
        location is Location.QUERY and report.flag(node, "allowEmptyValue"),
        None,
        node.place,
    )


def _check_style(node: Node, style: str, location: Location, scope: Scope) -> None:
    allowed: Iterable[str] = _STYLES[location]
    if location is Location.COOKIE and scope.dialect.cookie_style:
        allowed = ("form", "cookie")
    if location is Location.QUERYSTRING:
        scope.report.add("parameter-field", "a querystring parameter has `content`, not `schema`", node)
    elif style not in allowed:
        message = f"{location} parameters have the styles {', '.join(allowed)}; not {style!r}"
        scope.report.add("parameter-style", message, node.get("style") or node, suggestion(style, allowed))


def _content(node: Node, content: Node, name: str, location: Location, required: bool, scope: Scope) -> Parameter:
    """A `content` parameter: its text is one document of the one media type."""
    entries = list(content.members())
    if len(entries) != 1:
        scope.report.add("parameter-field", "`content` of a parameter holds exactly one media type", content)
    for field in ("style", "explode", "allowReserved"):
        if (child := node.get(field)) is not None:
            scope.report.add("parameter-field", f"`{field}` has no meaning beside `content`", child)
    media_type, entry = entries[0] if entries else ("", None)
    described = scope.object(entry, "a media type") if entry is not None else None
    reference, shape = scope.schema(described.get("schema") if described is not None else None)
    essence = media_type.partition(";")[0].strip().lower()
    return Parameter(name, location, required, reference, shape, None, False, False, False, essence, node.place)


def _querystring(merged: dict[_Key, Parameter], operation: Node, scope: Scope) -> None:
    """OpenAPI 3.2: at most one `querystring`, and never beside `query`."""
    whole = [p for p in merged.values() if p.location is Location.QUERYSTRING]
    if len(whole) > 1:
        scope.report.add("parameter-duplicate", "an operation has one querystring parameter at most", operation)
    if whole and any(p.location is Location.QUERY for p in merged.values()):
        scope.report.add("parameter-duplicate", "querystring and query parameters exclude each other", operation)
