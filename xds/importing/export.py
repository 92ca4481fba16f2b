"""An OpenAPI 3.0 export of API Gateway -> Export: its methods with their integrations, each where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from xds.importing.part import Notes, Part
from xds.source import Document

X = "x-amazon-apigateway-"
ANY = f"{X}any-method"
VERBS = ("get", "put", "post", "delete", "options", "head", "patch")
"""The methods that API Gateway knows; `any-method` stands for all of them."""


class NoExport(Exception):
    """The document is no export that can be read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one path. `id` is its operationId; `every` says that it is one of those that `any-method` stands for."""

    path: str
    verb: str
    id: str
    part: Part
    item: Part
    integration: Part
    every: bool = False

    @property
    def where(self) -> str:
        return f"{self.verb.upper()} {self.path}"

    @property
    def preflight(self) -> bool:
        """Whether it is what AWS makes for CORS: OPTIONS, answered by nobody but the gateway."""
        return self.verb == "options" and self.integration.text("type").lower() == "mock"


@dataclass(frozen=True, slots=True)
class Export:
    """`top` is the document; `http` says that it is an HTTP API's and not a REST API's. `base` is the first server's path
    and `stage` the stage in an address of AWS's own, empty if there is none; `id` is the API's."""

    top: Part
    methods: tuple[Method, ...]
    http: bool
    base: str
    stage: str
    id: str


_OWN = re.compile(r"https://([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(/.*)?")
_HOST = re.compile(r"[a-z]+://[^/]*", re.IGNORECASE)


def read_export(document: Document, notes: Notes) -> Export:
    """Raises NoExport for what is none. Routes that no contract can say are left out with a note."""
    top = Part(document, "", document.value)
    if top.get("swagger"):
        raise NoExport(
            "this is a Swagger 2.0 export. Next: aws apigateway get-export --export-type oas30 "
            "--parameters extensions=apigateway --rest-api-id ID --stage-name STAGE FILE"
        )
    if not top.text("openapi").startswith("3.0"):
        raise NoExport("this is no OpenAPI 3.0 document, as get-export --export-type oas30 and export-api write it")
    if not top.get("paths").members:
        raise NoExport("the document has no paths")
    servers = [_server(server) for server in top.get("servers").each()]
    own = [found for url in servers if (found := _OWN.fullmatch(url))]
    foreign = [url for url in servers if not _OWN.fullmatch(url)]
    path = _HOST.sub("", foreign[0] if foreign else servers[0] if servers else "").rstrip("/")
    stage = (own[0][3] or "").strip("/").partition("/")[0] if own else ""
    methods = tuple(_methods(top, notes))
    if not any(method.integration for method in methods):
        raise NoExport(
            "no operation has an x-amazon-apigateway-integration. Next: export with --parameters extensions=apigateway "
            "(HTTP APIs: export-api with --include-extensions)"
        )
    return Export(top, methods, _is_http(top, methods), path, stage, own[0][1] if own else "")


def _server(server: Part) -> str:
    """A server's URL with the defaults of its variables."""

    def default(name: re.Match[str]) -> str:
        return server.text("variables", name[1], "default").strip("/")

    return re.sub(r"\{([^{}]*)\}", default, server.text("url"))


def _is_http(top: Part, methods: tuple[Method, ...]) -> bool:
    """HTTP APIs version the payload of each integration, and have CORS as a key of its own."""
    return bool(top.get(f"{X}cors")) or any(m.integration.get("payloadFormatVersion") for m in methods)


def _methods(top: Part, notes: Notes) -> Iterator[Method]:
    taken: set[str] = {
        operation["operationId"]
        for item in top.get("paths").members.values()
        if isinstance(item, dict)
        for operation in item.values()
        if isinstance(operation, dict) and isinstance(operation.get("operationId"), str)
    }
    for path, item in top.get("paths").items():
        if reason := _unsayable(path):
            for part in _preflights_apart(item):
                notes.left_out(part, *reason)
            continue
        for verb in VERBS:
            every = verb not in item.members
            part = item.get(ANY if every else verb)
            if part and not isinstance(part.value, dict):
                raise NoExport(f"{part.document.span(part.pointer)}: {verb.upper()} {path} is no operation")
            if part:
                given = "" if every else part.text("operationId")
                yield Method(path, verb, given or _made(path, verb, taken), part, item, _integration(top, part), every)


def _preflights_apart(item: Part) -> list[Part]:
    parts = [part for key, part in item.items() if key in (*VERBS, ANY)]
    return [p for p in parts if p.text(f"{X}integration", "type").lower() != "mock"] or parts


def _unsayable(path: str) -> tuple[str, str] | None:
    if "+}" in path:
        return (
            f"{path} takes every path below it, and a contract names its paths: the route is not in the contract",
            "write the paths that the service really has",
        )
    if not path.startswith("/") or path.startswith("/$"):
        return (
            f"{path} is the route for whatever has none, and a contract lets through what it names: it is not in the contract",
            "write the paths that the service really has",
        )
    return None


def _integration(top: Part, part: Part) -> Part:
    """An operation's integration; HTTP APIs may keep it among the components and refer to it."""
    found = part.get(f"{X}integration")
    reference = found.text("$ref")
    name = reference.rpartition("/")[2]
    return top.get("components", f"{X}integrations", name) if reference else found


def _made(path: str, verb: str, taken: set[str]) -> str:
    """An operationId of method and path, as getPetsById; unique."""
    words = re.findall(r"\{[^{}]*\}|[A-Za-z0-9]+", path)
    stem = verb + "".join(
        ("By" if word[0] == "{" else "") + "".join(w[:1].upper() + w[1:] for w in re.findall("[A-Za-z0-9]+", word))
        for word in words
    )
    name, number = stem[:100], 2
    while name in taken:
        name, number = f"{stem[:100]}{number}", number + 1
    taken.add(name)
    return name
