"""Path Item Object -> operations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xds.model import Alternative, Location, Name, Operation, Parameter, PathTemplate

from . import bodies, parameters, paths, responses, servers
from .extension import OURS, Extension, read
from .node import Node
from .report import Report, suggestion
from .scope import Scope
from .security import SecurityScheme, requirements

_METHOD = re.compile(r"[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the document says of every operation."""

    bases: tuple[str, ...]
    security: tuple[Alternative, ...] | None
    schemes: Mapping[str, SecurityScheme]
    extension: Extension


def operations(key: str, entry: Node, around: Surroundings, scope: Scope) -> list[Operation]:
    """The operations of one path; one for each of its base paths. Their ids may still be empty or alike."""
    item = _path_item(entry, scope)
    if item is None:
        return []
    report = scope.report
    report.fields(item, scope.dialect.path_item | OURS, "a Path Item Object")
    extension = read(item, around.extension, report)
    found: list[Operation] = []
    item_bases = servers.bases(item, report)
    template = paths.parse(key, entry, report)
    if template is None:
        return []
    for method, node in _methods(item, scope):
        operation = scope.object(node, "an operation")
        if operation is None:
            continue
        bases = servers.bases(operation, report)
        bases = next(b for b in (bases, item_bases, around.bases) if b is not None)
        templates = [t for base in bases if (t := paths.below(base, template, entry, report)) is not None]
        own = read(operation, extension, report)
        found += _operation(method, item, operation, templates, own, around, scope)
    return found


def _path_item(entry: Node, scope: Scope) -> Node | None:
    """A Path Item, which may be a reference to one; fields beside the `$ref` are undefined behaviour, so refused."""
    item = scope.object(entry, "a path item")
    if item is not None and item is not entry and type(entry.value) is dict:
        beside = [k for k in entry.value if k not in ("$ref", "summary", "description") and not k.startswith("x-")]
        if beside:
            at = entry.get(beside[0]) or entry
            scope.report.add("ref-siblings", f"`{beside[0]}` beside `$ref` of a path item has no defined meaning", at)
    return item


def _methods(item: Node, scope: Scope) -> Iterator[tuple[str, Node]]:
    for method in scope.dialect.methods:
        if (node := item.get(method)) is not None:
            yield method.upper(), node
    more = scope.report.mapping(item, "additionalOperations") if scope.dialect.additional_operations else None
    for method, node in more.members() if more is not None else ():
        if not _METHOD.fullmatch(method) or method == "CONNECT":
            scope.report.add("method", f"{method!r} is not a method that is routed", node)
        elif method.lower() in scope.dialect.methods:
            scope.report.add("method", f"{method} has a field of its own", node, f"write `{method.lower()}:`")
        else:
            yield method, node


def _operation(
    method: str,
    item: Node,
    node: Node,
    templates: list[PathTemplate],
    extension: Extension,
    around: Surroundings,
    scope: Scope,
) -> list[Operation]:
    report = scope.report
    report.fields(node, scope.dialect.operation | {"x-sidegate"}, "an Operation Object")
    settings = extension.settings
    found = parameters.choosing(parameters.effective(item, node, scope), settings)
    security = requirements(node, around.schemes, scope.dialect, report)
    if security is None:
        security = around.security or ()
        if around.security is None:
            scope.silent.append(node.place)
    tags = report.sequence(node, "tags")
    names = [t.value for t in tags.items() if report.expect(t, str, "a tag") is not None] if tags is not None else []
    common = (
        found,
        bodies.parse(node, method, scope),
        security,
        extension.policy,
        extension.mode,
        extension.query_open,
        tuple(dict.fromkeys(names)),
        report.flag(node, "deprecated"),
        node.place,
    )
    if templates:
        _check_path_parameters(templates[0], found, node, report)
    identifier = report.text(node, "operationId")
    answers = responses.parse(node, scope) if not responses.ASKING.isdisjoint(settings) else ()
    events = responses.events(node, scope)
    if "mock" in settings:
        responses.check(node, settings["mock"], answers, scope)
    return [
        Operation(identifier, method, template, *common, settings=settings, answers=answers, events=events)
        for template in templates
    ]


def _check_path_parameters(path: PathTemplate, found: tuple[Parameter, ...], node: Node, report: Report) -> None:
    named = {part.name for segment in path.segments for part in segment.parts if isinstance(part, Name)}
    declared = {p.name: p for p in found if p.location is Location.PATH}
    for name in sorted(named - declared.keys()):
        help = suggestion(name, declared.keys() - named) or f"declare {name!r} under `parameters` with `in: path`"
        report.add("path-parameter", f"the path names {{{name}}}, which no parameter describes", node, help)
    for name in sorted(declared.keys() - named):
        report.add("path-parameter", f"the path parameter {name!r} is not in the path", declared[name].place)
