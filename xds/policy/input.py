"""A request -> OPA-Envoy's input document, as far as the policy reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from .bundle import Bundle
from .plan import Path, Reads
from .reasons import reason_rules

__all__ = ["NOT_CARRIED", "Reads", "build_input", "prune", "reads"]

NOT_CARRIED = (
    "attributes.source and attributes.destination: HTTP ext_authz does not send them; input.sidegate.peer is the "
    "client's verified certificate, "
    "input.sidegate.client is the token's subject, or without a token the client's address",
    "attributes.request.time",
    "attributes.context_extensions and attributes.metadata_context: input.sidegate says which operation it is",
    "attributes.tls_session",
    "attributes.request.http.fragment: Envoy refuses or removes it",
    "attributes.request.http.raw_body: parsed_body, and body where it is text",
)
"""What OPA-Envoy's gRPC plugin puts into the input and plain HTTP ext_authz cannot carry."""

_NO_BODY: Any = object()


def reads(bundle: Bundle | None, entrypoint: str | None) -> Reads:
    """The input that deciding by a rule, and giving its reason, reads; everything, where that cannot be known."""
    path = entrypoint or (bundle.default_entrypoint if bundle else None)
    if bundle is None or path is None or path not in bundle.reads:
        return _EVERYTHING
    known = _known.get(id(bundle))
    if known is None or known[0] is not bundle:
        if len(_known) >= _KNOWN:
            _known.clear()
        known = _known[id(bundle)] = bundle, {}
    if path not in known[1]:
        rules = (path, *reason_rules(bundle, path))
        paths = frozenset[Path]().union(*(bundle.reads.get(rule, _EVERYTHING).paths for rule in rules))
        known[1][path] = Reads(paths)
    return known[1][path]


_EVERYTHING = Reads.everything()
_KNOWN = 64
_known: dict[int, tuple[Bundle, dict[str, Reads]]] = {}
"""By bundle and rule, since every request asks. Bundles hold mappings and have no hash."""


def build_input(
    *,
    method: str,
    path: str,
    query: str | None,
    headers: Iterable[tuple[str, str]],
    host: str,
    scheme: str = "http",
    protocol: str = "HTTP/1.1",
    body: bytes = b"",
    parsed_body: Any = _NO_BODY,
    truncated_body: bool = False,
    request_id: str = "",
    sidegate: Mapping[str, Any],
    reads: Reads | None = None,
) -> dict[str, Any]:
    """The input document, its parts built only if `reads` needs them (None: all of them).

    `path` is without the query and still percent-encoded; `headers` are lower case; `parsed_body` is left out of the
    document if it is not given, as OPA-Envoy does for bodies that it does not parse. `http.path` has the query, as Envoy's
    `:path`; `parsed_path` is decoded, split at `/`; `parsed_query` maps a name to its values; `http.size` is the body's in
    bytes, -1 if there is none. Headers that repeat are joined with a comma, as Envoy does.
    """
    want = reads or Reads.everything()
    http: Parts = {
        "id": lambda: request_id,
        "method": lambda: method,
        "path": lambda: path if query is None else f"{path}?{query}",
        "host": lambda: host,
        "scheme": lambda: scheme,
        "protocol": lambda: protocol,
        "headers": lambda: _joined(headers),
        "body": lambda: body.decode("utf-8", "replace"),
        "size": lambda: len(body) or -1,
    }
    parts: Parts = {
        "attributes": lambda: {"request": {"http": _wanted(http, want, "attributes", "request", "http")}},
        "parsed_path": lambda: [unquote(part) for part in path.lstrip("/").split("/")],
        "parsed_query": lambda: _query(query),
        "truncated_body": lambda: truncated_body,
        "version": lambda: {"ext_authz": "v3", "encoding": "protojson"},
        "sidegate": lambda: sidegate,
        **({} if parsed_body is _NO_BODY else {"parsed_body": lambda: parsed_body}),
    }
    return prune(_wanted(parts, want), want)


Parts = Mapping[str, Callable[[], Any]]


def _wanted(parts: Parts, want: Reads, *at: str) -> dict[str, Any]:
    """The parts of a document that something is read of; `at` is where they stand."""
    return {name: make() for name, make in parts.items() if want.touches(*at, name)}


def prune(document: Mapping[str, Any], want: Reads) -> dict[str, Any]:
    """A copy of a document with only what is read. What is defined on the way to a path that is read stays defined."""
    if () in want.paths:
        return dict(document)
    kept: dict[str, Any] = {}
    for path in want.paths:
        _keep(document, kept, path)
    return kept


def _keep(source: Mapping[str, Any], kept: dict[str, Any], path: Path) -> None:
    for name in path[:-1]:
        if name not in source:
            return
        value = source[name]
        if not isinstance(value, Mapping):
            kept[name] = value
            return
        source, kept = value, kept.setdefault(name, {})
    if path[-1] in source:
        kept[path[-1]] = source[path[-1]]


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _query(query: str | None) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query or "", keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values
