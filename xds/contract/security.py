"""`securitySchemes` and `security` -> what a request must bring; never ignored, so unknown is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.model import Alternative, Credential, Place

from .dialects import Dialect
from .library import Library
from .node import Node
from .report import Report, suggestion


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """A scheme of `components`. `kind` is `jwt`, or the kind that this version refuses where it is asked for."""

    name: str
    kind: str
    place: Place
    scopes: frozenset[str] | None = field(default=None, compare=False)
    http: bool = field(default=False, compare=False)


def schemes(components: Node | None, library: Library, dialect: Dialect, report: Report) -> dict[str, SecurityScheme]:
    """The declared schemes by name."""
    declared = report.mapping(components, "securitySchemes") if components is not None else None
    found: dict[str, SecurityScheme] = {}
    for name, node in declared.members() if declared is not None else ():
        target = follow(node, library, report)
        if target is not None and report.expect(target, dict, "a security scheme") is not None:
            found[name] = _scheme(name, target, dialect, report)
    return found


def follow(node: Node, library: Library, report: Report) -> Node | None:
    """What a Reference Object leads to, through any number of them; the node itself if it is none."""
    seen: list[Node] = []
    while type(node.value) is dict and isinstance(node.value.get("$ref"), str):
        if any(node.value is other.value for other in seen) or len(seen) > 100:
            report.add("ref-cycle", "this reference leads back to itself", seen[0].get("$ref") or seen[0])
            return None
        seen.append(node)
        target = library.resolve(node, node.value["$ref"], report)
        if target is None:
            return None
        node = target
    return node


def _scheme(name: str, node: Node, dialect: Dialect, report: Report) -> SecurityScheme:
    kind, scheme = report.text(node, "type"), report.text(node, "scheme").lower()
    scopes: set[str] | None = None
    if kind == "oauth2":
        scopes = set()
        flows = report.mapping(node, "flows")
        for _, flow in flows.members() if flows is not None else ():
            listed = report.mapping(flow, "scopes")
            scopes.update(listed.value if listed is not None else ())
    if kind in ("oauth2", "openIdConnect") or (kind == "http" and scheme == "bearer"):
        return SecurityScheme(name, "jwt", node.place, None if scopes is None else frozenset(scopes), kind == "http")
    known = kind in ("apiKey", "http") or (kind == "mutualTLS" and dialect.mutual_tls)
    if not known:
        shown = f"{kind!r} is" if kind else "nothing is"
        message = f"{shown} not a type of security scheme in OpenAPI {dialect.name}"
        report.add(
            "security-scheme",
            message,
            node.get("type") or node,
            suggestion(kind, ("apiKey", "http", "oauth2", "openIdConnect")),
        )
    return SecurityScheme(name, f"http {scheme}" if kind == "http" else kind, node.place)


def requirements(
    node: Node, known: Mapping[str, SecurityScheme], dialect: Dialect, report: Report
) -> tuple[Alternative, ...] | None:
    """The alternatives of an object's `security`; None if it has none, `()` if it asks for nothing."""
    written = node.get("security")
    if written is None:
        return None
    if report.expect(written, list, "`security`") is None:
        return ()
    found: list[Alternative] = []
    for item in written.items():
        if report.expect(item, dict, "a security requirement") is None:
            continue
        if not item.value:
            help = "take `{}` out, or write `security: []` if everybody may ask"
            report.add("security-optional", "one alternative asks for nothing, so no token is needed", item, help)
        credentials = [_credential(name, scopes, known, dialect, report) for name, scopes in item.members()]
        found.append(Alternative(tuple(sorted(credentials, key=lambda c: c.scheme))))
    return tuple(found)


def _credential(
    name: str, scopes: Node, known: Mapping[str, SecurityScheme], dialect: Dialect, report: Report
) -> Credential:
    scheme = known.get(name)
    listed = [s.value for s in scopes.items() if report.expect(s, str, "a scope") is not None]
    report.expect(scopes, list, "the scopes of a scheme")
    if scheme is None:
        help = suggestion(name, known) or "declare it under components/securitySchemes"
        report.add("security-unknown", f"there is no security scheme {name!r}", scopes, help)
    elif scheme.kind != "jwt":
        help = "http bearer, oauth2 and openIdConnect are enforced"
        related = [(scheme.place, "declared here")]
        report.add("security-unsupported", f"schemes of type {scheme.kind} are not enforced yet", scopes, help, related)
    elif scheme.scopes is not None and (unknown := [s for s in listed if s not in scheme.scopes]):
        near = suggestion(unknown[0], scheme.scopes)
        related = [(scheme.place, "declared here")]
        report.add("scope-undeclared", f"no flow of {name!r} declares the scope {unknown[0]!r}", scopes, near, related)
    return Credential(name, tuple(dict.fromkeys(listed)))
