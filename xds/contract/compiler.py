"""Documents -> Contract: one OpenAPI document with its parts, read from the outside in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xds.diagnostics import Diagnostic, Span
from xds.model import Operation, Place, Schemas

from . import servers
from .dialects import COMPONENTS, Dialect, dialect
from .extension import DEFAULTS, OURS, read
from .library import Library
from .memory import Cache, Frame, Item, Memory
from .node import Node
from .operations import Surroundings, operations
from .report import Finding, Report, suggestion
from .rules import allowances, identifiers, references
from .schemas import Lowering, lowering
from .schemas.budget import check as check_budget
from .scope import Scope
from .security import SecurityScheme, requirements, schemes


@dataclass(frozen=True, slots=True)
class Contract:
    """One API version as its contract has it. An error among `diagnostics` means that it must be refused."""

    service: str
    version: str
    title: str
    openapi: str
    operations: tuple[Operation, ...]
    schemas: Schemas
    schemes: Mapping[str, SecurityScheme]
    files: tuple[str, ...]
    place: Place
    diagnostics: tuple[Diagnostic, ...]
    bases: tuple[str, ...] = ()


def compile_contract(
    files: Mapping[str, bytes], root_file: str, *, service: str, version: str, cache: Cache | None = None
) -> Contract:
    """Compiles the contract in `root_file`, whose references lead to other keys of `files` under `contracts/`.

    Opens nothing and raises nothing: whatever is wrong is in the contract's diagnostics. Equal files give equal
    contracts. Lines and columns are looked up only for what is complained of.
    """
    cache = cache or Cache()
    library = Library(files, root_file, cache.loaded)
    if root_file not in files:
        problem = Diagnostic("file-unreadable", "there is no such file", Span(root_file))
        return _refused(service, version, root_file, (problem,))
    root = library.root(root_file)
    report = Report()
    spoken = _dialect(root, report) if root is not None else None
    if root is None or spoken is None:
        return _refused(service, version, root_file, _diagnostics(library, report.findings))
    library.with_ids = not spoken.draft4
    if library.with_ids:
        library.index(root)
    memory = cache.of(root_file)
    contract = _Compilation(library, spoken, root, report, memory).contract(service, version)
    if memory.reused and library.named():  # names have come: what was reused may mean something else with them
        return compile_contract(files, root_file, service=service, version=version, cache=Cache(cache.loaded))
    return contract


def _refused(service: str, version: str, file: str, problems: tuple[Diagnostic, ...]) -> Contract:
    return Contract(service, version, "", "", (), Schemas({}), {}, (file,), Place(file), problems)


def _dialect(root: Node, report: Report) -> Dialect | None:
    """The document's dialect, or None after a finding."""
    if report.expect(root, dict, "an OpenAPI document") is None:
        return None
    written = root.get("openapi")
    if written is None:
        swagger = root.get("swagger")
        if swagger is not None:
            help = "convert it to OpenAPI 3; swagger2openapi and the Swagger editor do"
            report.add("openapi-version", "this is Swagger 2.0, which is not read", swagger, help)
        else:
            near = next((key for key in root.value if suggestion(key, ("openapi",))), None)
            fix = f"`{near}` should be `openapi`" if near is not None else None
            report.add("openapi-version", "there is no field `openapi`, so this is no OpenAPI document", root, fix)
        return None
    text = str(written.value) if isinstance(written.value, (str, float)) else ""
    found = dialect(text)
    if found is None:
        help = "3.0, 3.1 and 3.2 are read"
        report.add("openapi-version", f"OpenAPI {text[:20]!a} is not a version that is read", written, help)
    elif not isinstance(written.value, str):
        report.add("wrong-type", "`openapi` must be text", written, f'write `openapi: "{text}.0"`')
    return found


class _Compilation:
    """The compilation of one document; `memory` is of the one before."""

    def __init__(self, library: Library, spoken: Dialect, root: Node, report: Report, memory: Memory) -> None:
        self.library, self.dialect, self.root, self.report, self.memory = library, spoken, root, report, memory
        memory.begin(library, root)
        self.lowering = Lowering(library, spoken, memory.lowered)

    def contract(self, service: str, version: str) -> Contract:
        root, report = self.root, self.report
        report.fields(root, self.dialect.document | OURS, "an OpenAPI document")
        lowering.check_dialect(root.get("jsonSchemaDialect"), report)
        info = report.mapping(root, "info")
        title = report.text(info, "title") if info is not None else ""
        frame = self._frame()
        declared, items = frame.declared, self._items(frame.around)
        found = self._identified(items)
        report.findings += self.memory.overlaps(items)
        before, reached = self.memory.reached, self.memory.sorted_uris(items)
        check_budget(self.lowering, reached, report)
        self._silent([place for item in items for place in item.silent], found)
        allowances.check(root, found, report)
        self._roles(found, declared, set().union(*(item.asked for item in items)))
        problems = [*report.findings, *self.library.report.findings]
        problems += [finding for item in items for finding in item.findings]
        problems += [finding for uri in reached for finding in self.lowering.done[uri].findings]
        schemas = self.memory.schemas = self._schemas(reached, self.memory.schemas if before is reached else None)
        self.memory.end(self.library, items)
        return Contract(
            service,
            version,
            title,
            self.dialect.name,
            self.memory.sorted_operations(found),
            schemas,
            declared,
            tuple(sorted(self.library.roots)),
            root.place,
            _diagnostics(self.library, problems),
            frame.around.bases,
        )

    def _items(self, around: Surroundings) -> list[Item]:
        """Every path's operations: those of the compilation before, or compiled now."""
        known = self.memory.items
        for file in set().union(*(item.files for item in known.values())):
            if file in self.library.files:
                self.library.root(file)
        paths = self._paths()
        if paths is None:
            return []
        return [
            known.get(key) or self._item(key, Node(value, paths.file, paths, key), around)
            for key, value in paths.value.items()
            if not key.startswith("x-")
        ]

    def _identified(self, items: list[Item]) -> list[Operation]:
        found = [operation for item in items for operation in item.operations]
        plain = False not in [item.plain for item in items]
        if plain and len({operation.id for operation in found}) == len(found):
            self.memory.named.clear()
            return found
        return identifiers.identify(found, self.report, self.memory.named)

    def _item(self, key: str, entry: Node, around: Surroundings) -> Item:
        """One path's operations with the schemas they reach."""
        scope = Scope(self.library, self.dialect, self.lowering, Report())
        self.library.touched = set()
        found = self.memory.familiar(key, operations(key, entry, around, scope))
        references.check(entry, self.library, scope.report)
        files = set(self.library.touched)
        self.lowering.drain()
        schemas = tuple(self.lowering.reached(scope.used))
        files.update(*(self.lowering.done[uri].files for uri in schemas))
        findings, silent = tuple(scope.report.findings), tuple(scope.silent)
        texts = key, tuple(dict.fromkeys(o.path.text for o in found))
        asked = frozenset(c.scheme for o in found for a in o.security for c in a.credentials if c.scopes)
        plain = all(map(identifiers.plain, found))
        place = entry.place
        return Item(key, entry.value, place, found, findings, schemas, silent, frozenset(files), texts, asked, plain)

    def _paths(self) -> Node | None:
        paths = self.report.mapping(self.root, "paths")
        if paths is None and self.dialect.paths_required and "paths" not in self.root.value:
            self.report.add("unknown-field", "an OpenAPI document needs `paths`", self.root)
        return paths

    def _frame(self) -> Frame:
        """What the document says outside `paths`: that of the compilation before, or read now."""
        frame = self.memory.frame
        if frame is None:
            report = Report()
            self.library.touched = set()
            declared, around = self._surroundings(report)
            frame = self.memory.frame = Frame(declared, around, tuple(report.findings), frozenset(self.library.touched))
        for file in frame.files & self.library.files.keys():
            self.library.root(file)
        self.report.findings += frame.findings
        return frame

    def _surroundings(self, report: Report) -> tuple[dict[str, SecurityScheme], Surroundings]:
        root = self.root
        components = report.mapping(root, "components")
        if components is not None:
            report.fields(components, COMPONENTS, "a Components Object")
        declared = schemes(components, self.library, self.dialect, report)
        if components is not None:
            references.check(components, self.library, report)
        bases = servers.bases(root, report)
        security = requirements(root, declared, self.dialect, report)
        around = Surroundings(bases if bases is not None else ("",), security, declared, read(root, DEFAULTS, report))
        return declared, around

    def _silent(self, places: list[Place], found: list[Operation]) -> None:
        """One word on all operations that ask for no token because nobody has said anything."""
        if not places:
            return
        shown, pointers = set(places[:5]), {place.pointer for place in places[:5]}
        names = {o.place: o.id for o in reversed(found) if o.place.pointer in pointers and o.place in shown}
        many = f"{len(places)} operations ask" if len(places) > 1 else f"{names.get(places[0], 'an operation')} asks"
        help = "write `security:` for the document or the operation; `security: []` says that it is meant"
        message = f"{many} for no token, and no `security` says that this is meant"
        self.report.add("security-none", message, self.root, help, [(p, names.get(p, "")) for p in places[:5]])

    def _roles(self, found: list[Operation], declared: Mapping[str, SecurityScheme], asked: set[str]) -> None:
        """OpenAPI 3.0 has no scopes beside `http` schemes. They are checked like any others, since somebody meant them."""
        if self.dialect.http_roles:
            return
        for name in sorted(name for name in asked & declared.keys() if declared[name].http):
            some = [o for o in found if any(c.scheme == name and c.scopes for a in o.security for c in a.credentials)]
            if some:
                many = f"{len(some)} operations ask" if len(some) > 1 else f"{some[0].id} asks"
                message = f"{many} for scopes of {name!r}; OpenAPI 3.0 has none for http schemes"
                help = "they are checked in the token all the same; type `oauth2` declares them"
                related = [(o.place, o.id) for o in some[:3]]
                self.report.add("security-roles", message, declared[name].place, help, related)

    def _schemas(self, reached: tuple[str, ...], before: Schemas | None) -> Schemas:
        """The lowered schemas; `before` are those of the compilation before, which reached the same ones."""
        if before is not None:
            return self._changed(before)
        resources: dict[str, dict[str, Any]] = {}
        for uri in reached:
            one = self.lowering.done[uri]
            resources.setdefault(one.resource, {})[one.key] = one.value
        for uri, values in resources.items():
            anchors = self.library.resources[uri].dynamic if uri in self.library.resources else None
            if anchors:
                values["$defs"] = {
                    name: {"$dynamicAnchor": name, "$ref": self.library.uri(node)} for name, node in anchors.items()
                }
        return Schemas(resources)

    def _changed(self, before: Schemas) -> Schemas:
        """Equal schemas, with what is fresh in them; what is not is shared."""
        changed: dict[str, dict[str, Any]] = {}
        for uri in self.lowering.fresh:
            one = self.lowering.done[uri]
            if one.resource not in changed:
                changed[one.resource] = dict(before.resources[one.resource])
            changed[one.resource][one.key] = one.value
        return Schemas({**before.resources, **changed}) if changed else before


def _diagnostics(library: Library, findings: Iterable[Finding]) -> tuple[Diagnostic, ...]:
    """Problems of files and findings, each once, in the order of files and lines."""
    found = [*library.problems, *(f.diagnostic(library.files) for f in dict.fromkeys(findings))]
    return tuple(sorted(found, key=lambda d: (d.span or Span(""), d.code, d.message)))
