"""`securitySchemes` and `security` -> what a request must bring; never ignored, so unknown is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.hardened import ADDRESSES, MISLEADING
from xds.model import Alternative, Credential, Place, SchemeKind

from .dialects import Dialect
from .library import Library
from .node import Node
from .report import Report, suggestion


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """A scheme of `components`. `kind` is a `SchemeKind`, or the kind that this version refuses where it is asked for;
    `at` is where an API key is carried, and under which name."""

    name: str
    kind: str
    place: Place
    scopes: frozenset[str] | None = field(default=None, compare=False)
    http: bool = field(default=False, compare=False)
    at: tuple[str, str] = ("", "")


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
        return SecurityScheme(
            name, SchemeKind.JWT, node.place, None if scopes is None else frozenset(scopes), kind == "http"
        )
    if kind == "http" and scheme == "basic":
        return SecurityScheme(name, SchemeKind.BASIC, node.place)
    if kind == "apiKey":
        return SecurityScheme(name, SchemeKind.KEY, node.place, at=_carrier(node, report))
    if kind == "mutualTLS" and dialect.mutual_tls:
        return SecurityScheme(name, SchemeKind.TLS, node.place)
    known = kind == "http"
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


def _carrier(node: Node, report: Report) -> tuple[str, str]:
    """`in` and `name` of an API key (OpenAPI, Security Scheme Object)."""
    place, name = report.text(node, "in"), report.text(node, "name")
    if place not in _PLACES:
        help = suggestion(place, _PLACES)
        report.add("security-scheme", "an API key is `in` header, query or cookie", node.get("in") or node, help)
    elif not name or (place != "query" and not _TOKEN.fullmatch(name)):
        message = (
            "an API key needs the `name` of its parameter" if not name else f"{name!r} cannot be the {place}'s name"
        )
        report.add("security-scheme", message, node.get("name") or node)
    elif place == "header" and name.lower() in _TAKEN:
        report.add("security-scheme", f"the header {name} means something else", node.get("name") or node)
    elif place == "header" and (name.lower() in _REMOVED or name.lower().startswith(("x-sidegate-", "x-envoy-"))):
        message = f"no client can send the header {name}: the proxy takes it off every request"
        report.add("security-scheme", message, node.get("name") or node, "a name of your own: X-Api-Key")
    return place, name.lower() if place == "header" else name


_PLACES = ("header", "query", "cookie")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_TAKEN = frozenset(
    ("host", "connection", "content-length", "content-type", "transfer-encoding", "cookie", "te", "upgrade")
)
_REMOVED = frozenset((*MISLEADING, *ADDRESSES))


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
    elif scheme.kind not in tuple(SchemeKind):
        help = "apiKey, http basic and bearer, oauth2, openIdConnect and mutualTLS are enforced"
        related = [(scheme.place, "declared here")]
        report.add("security-unsupported", f"schemes of type {scheme.kind} are not enforced yet", scopes, help, related)
    elif scheme.scopes is not None and (unknown := [s for s in listed if s not in scheme.scopes]):
        near = suggestion(unknown[0], scheme.scopes)
        related = [(scheme.place, "declared here")]
        report.add("scope-undeclared", f"no flow of {name!r} declares the scope {unknown[0]!r}", scopes, near, related)
    if scheme is None or scheme.kind not in tuple(SchemeKind):
        return Credential(name, tuple(dict.fromkeys(listed)))
    if listed and scheme.kind is not SchemeKind.JWT:
        help = "take them out: a consumer has no scopes; a policy can look at `input.sidegate.consumer`"
        report.add("scope-meaningless", f"a scheme of type {scheme.kind} has no scopes", scopes, help)
    return Credential(name, tuple(dict.fromkeys(listed)), SchemeKind(scheme.kind), *scheme.at)
