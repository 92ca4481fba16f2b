"""Documents -> Contract: one OpenAPI document with its parts, read from the outside in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Diagnostic, Span
from xds.model import Operation, Place, Schemas

from . import servers
from .dialects import COMPONENTS, Dialect, dialect
from .extension import DEFAULTS, read
from .library import Library, Loaded
from .node import Node
from .operations import Surroundings, operations
from .report import Finding, Report, suggestion
from .rules import identifiers, overlaps
from .schemas import Lowering
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


@dataclass(slots=True)
class Cache:
    """What compiles of the same files keep for each other. Nothing in it changes a result, only its time."""

    loaded: Loaded = field(default_factory=Loaded)


def compile_contract(
    files: Mapping[str, bytes], root_file: str, *, service: str, version: str, cache: Cache | None = None
) -> Contract:
    """Compiles the contract in `root_file`, whose references lead to other keys of `files` under `contracts/`.

    Opens nothing and raises nothing: whatever is wrong is in the contract's diagnostics. Equal files give equal
    contracts. Lines and columns are looked up only for what is complained of.
    """
    library = Library(files, root_file, (cache or Cache()).loaded)
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
    return _Compilation(library, spoken, root, report).contract(service, version)


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
            near = suggestion("openapi", (k for k in root.value))
            report.add("openapi-version", "there is no field `openapi`, so this is no OpenAPI document", root, near)
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
    def __init__(self, library: Library, spoken: Dialect, root: Node, report: Report) -> None:
        self.library, self.dialect, self.root, self.report = library, spoken, root, report
        self.lowering = Lowering(library, spoken)

    def contract(self, service: str, version: str) -> Contract:
        root, report = self.root, self.report
        report.fields(root, self.dialect.document | {"x-sidegate"}, "an OpenAPI document")
        info = report.mapping(root, "info")
        title = report.text(info, "title") if info is not None else ""
        declared, around = self._surroundings()
        found: list[Operation] = []
        scope = Scope(self.library, self.dialect, self.lowering, report, {})
        for key, entry in self._paths():
            if not key.startswith("x-"):
                found += operations(key, entry, around, scope)
        self.lowering.drain()
        found = identifiers.identify(found, report)
        overlaps.check(found, report)
        reached = sorted(self.lowering.reached(scope.used))
        check_budget(self.lowering, reached, report)
        self._without_security(found, around)
        self._roles(found, declared)
        problems = [*report.findings, *self.library.report.findings]
        for uri in reached:
            problems += self.lowering.done[uri].findings
        found.sort(key=lambda o: (o.path.text, o.method, o.id))
        return Contract(
            service,
            version,
            title,
            self.dialect.name,
            tuple(found),
            self._schemas(reached),
            declared,
            tuple(sorted(self.library.roots)),
            root.place,
            _diagnostics(self.library, problems),
        )

    def _paths(self) -> Iterable[tuple[str, Node]]:
        paths = self.report.mapping(self.root, "paths")
        if paths is None:
            if self.dialect.paths_required and "paths" not in self.root.value:
                self.report.add("unknown-field", "an OpenAPI document needs `paths`", self.root)
            return ()
        return paths.members()

    def _surroundings(self) -> tuple[dict[str, SecurityScheme], Surroundings]:
        root, report = self.root, self.report
        components = report.mapping(root, "components")
        if components is not None:
            report.fields(components, COMPONENTS, "a Components Object")
        declared = schemes(components, self.library, self.dialect, report)
        bases = servers.bases(root, report)
        security = requirements(root, declared, self.dialect, report)
        around = Surroundings(bases if bases is not None else ("",), security, declared, read(root, DEFAULTS, report))
        return declared, around

    def _without_security(self, found: list[Operation], around: Surroundings) -> None:
        """One word on all operations that ask for no token because nobody has said anything."""
        silent = [o for o in found if not o.security and around.security is None]
        undecided = [o for o in silent if not self._says_security(o)]
        if undecided:
            many = f"{len(undecided)} operations ask" if len(undecided) > 1 else f"{undecided[0].id} asks"
            help = "write `security:` for the document or the operation; `security: []` says that it is meant"
            related = [(o.place, o.id) for o in undecided[:5]]
            message = f"{many} for no token, and no `security` says that this is meant"
            self.report.add("security-none", message, self.root, help, related)

    def _roles(self, found: list[Operation], declared: Mapping[str, SecurityScheme]) -> None:
        """OpenAPI 3.0 has no scopes beside `http` schemes. They are checked like any others, since somebody meant them."""
        if self.dialect.http_roles:
            return
        http = {name for name, scheme in declared.items() if scheme.http}
        for name in sorted(http):
            some = [o for o in found if any(c.scheme == name and c.scopes for a in o.security for c in a.credentials)]
            if some:
                message = f"{len(some)} operations ask for scopes of {name!r}; OpenAPI 3.0 has none for http schemes"
                help = "they are checked in the token all the same; type `oauth2` declares them"
                related = [(o.place, o.id) for o in some[:3]]
                self.report.add("security-roles", message, declared[name].place, help, related)

    def _says_security(self, operation: Operation) -> bool:
        node = self.library.at(operation.place)
        return node is not None and node.get("security") is not None

    def _schemas(self, reached: list[str]) -> Schemas:
        resources: dict[str, dict[str, Any]] = {}
        for uri in reached:
            one = self.lowering.done[uri]
            resources.setdefault(one.resource, {})[one.key] = one.value
        for uri, values in resources.items():
            anchors = self.library.resources[uri].dynamic
            if anchors:
                values["$defs"] = {
                    name: {"$dynamicAnchor": name, "$ref": self.library.uri(node)} for name, node in anchors.items()
                }
        return Schemas(resources)


def _diagnostics(library: Library, findings: Iterable[Finding]) -> tuple[Diagnostic, ...]:
    """Problems of files and findings, each once, in the order of files and lines."""
    found = [*library.problems, *(f.diagnostic(library.files) for f in dict.fromkeys(findings))]
    return tuple(sorted(found, key=lambda d: (d.span or Span(""), d.code, d.message)))
