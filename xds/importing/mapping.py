"""`requestParameters`, `responses` -> `headers` and `query` of `x-sidegate`; what is mapped onto itself passes anyhow."""

from __future__ import annotations

import re
from collections.abc import Callable

from xds.importing.export import Method
from xds.importing.keys import Keys, merge, put
from xds.importing.part import Notes, Part
from xds.native.transforms import RESERVED

_REST = re.compile(r"integration\.request\.(header|querystring|path)\.(.+)")
_HTTP = re.compile(r"(append|overwrite|remove):(header|querystring|path|statuscode)(?:\.(.+))?")
_CORS = "access-control-"
_FAMILIES = ("x-sidegate-", "x-envoy-", "proxy-", "x-forwarded-", _CORS)

Say = Callable[[str], None]


def request_changes(method: Method, keys: Keys, notes: Notes) -> dict[str, str]:
    """Set `headers` and `query` where values are fixed. Returns the integration's path variables by the public names."""
    names: dict[str, str] = {}
    for name, part in method.integration.get("requestParameters").items():
        found = _REST.fullmatch(name)
        if found:
            _rest(method, found[1], found[2], part, (keys, names), notes)
        else:
            _http(method, name, part, keys, notes, "request")
    return names


def _rest(method: Method, kind: str, name: str, part: Part, into: tuple[Keys, dict[str, str]], notes: Notes) -> None:
    source = part.value if isinstance(part.value, str) else ""
    keys, names = into
    own = f"method.request.{kind}."
    if kind == "path" and source.startswith(own):
        names[name] = source.removeprefix(own)
    elif source.startswith(own) and _same(kind, name, source.removeprefix(own)):
        return
    elif (fixed := _fixed(source)) is not None and kind != "path":
        _set(method, ("request", kind, "set"), name, fixed, (part, keys), notes)
    else:
        notes.lost(
            part,
            f"{method.where}: {kind} {name} of the service's request is taken from {source}, which has no equivalent",
            "let the service read the public name, or the verified claims and consumer in the headers that Sidegate sends",
        )


def _same(kind: str, one: str, other: str) -> bool:
    return one.lower() == other.lower() if kind == "header" else one == other


def _fixed(source: str) -> str | None:
    """The text inside single quotes, or what stands here for a request's id; None for what is no fixed text."""
    if source.removeprefix("$") in ("context.requestId", "context.extendedRequestId"):
        return "${traceId}"
    quoted = len(source) > 1 and source[0] == source[-1] == "'" and "'" not in source[1:-1]
    return source[1:-1] if quoted and "${" not in source else None


def _http(method: Method, name: str, part: Part, keys: Keys, notes: Notes, side: str) -> None:
    """Parameter mapping of HTTP APIs: `append:header.x-source: value`."""
    found = _HTTP.fullmatch(name)
    source = part.value if isinstance(part.value, str) else ""
    if (
        found is None
        or found[2] in ("path", "statuscode")
        or (found[1] != "remove" and "$" in source and _fixed(source) is None)
    ):
        notes.lost(part, f"{method.where}: the mapping {name} = {source} has no equivalent", "let the service do it")
        return
    verb, kind, key = found[1], found[2], found[3] or ""
    if verb == "append" and kind == "querystring":
        notes.differs(part, f"{method.where}: query parameter {key} is set, in the place of those that come")
    change = {"append": "add" if kind == "header" else "set", "overwrite": "set", "remove": "remove"}[verb]
    _set(
        method, (side, kind, change), key, _fixed(source) if _fixed(source) is not None else source, (part, keys), notes
    )


def _set(
    method: Method, how: tuple[str, str, str], name: str, text: str | None, into: tuple[Part, Keys], notes: Notes
) -> None:
    """One change of a header or query parameter. `how` is the side, the kind and what is done."""
    side, kind, change = how
    part, keys = into
    lower = name.lower()
    if kind == "header" and (lower in RESERVED[side] or lower.startswith(_FAMILIES)):
        if not lower.startswith(_CORS):
            notes.lost(part, f"{method.where}: no transform may touch the {side} header {lower}")
        return
    changes = {"remove": [lower if kind == "header" else name]} if change == "remove" else {change: {name: text}}
    key, value = ("headers", {side: changes}) if kind == "header" else ("query", changes)
    probe: Keys = {}
    if put(probe, key, value, notes, part, f"{method.where}: {kind} {name}"):
        if change == "remove" and isinstance(listed := _inside(keys, key, side, kind).get("remove"), list):
            listed.extend(changes["remove"])
        else:
            merge(keys, probe)


def _inside(keys: Keys, key: str, side: str, kind: str) -> Keys:
    found = keys.get(key, {})
    inner = found.get(side, {}) if kind == "header" else found
    return inner if isinstance(inner, dict) else {}


def response_changes(method: Method, keys: Keys, notes: Notes) -> None:
    """Fixed response headers are set; statuses and headers of the service otherwise pass as they are."""
    responses = method.integration.get("responses")
    proxied = method.integration.text("type").lower() == "http_proxy"
    statuses = []
    for pattern, response in responses.items():
        status = response.text("statusCode")
        if status and not proxied and not re.fullmatch(pattern if pattern != "default" else "$^", status):
            statuses.append(f"{pattern} as {status}")
        for name, part in response.get("responseParameters").items():
            _response(method, name, part, keys, notes)
        for name, part in response.items():
            if _HTTP.fullmatch(name):
                _http(method, name, part, keys, notes, "response")
    for status, response in method.integration.get("responseParameters").items():
        for name, part in response.items():
            help_ = "let the service do it; `headers.response` holds for every status"
            notes.lost(part, f"{method.where}: the mapping {name} for status {status} has no equivalent", help_)
    if statuses and statuses != ["default as 200"]:
        notes.lost(
            responses,
            f"{method.where} answers {', '.join(statuses)}: here the service's own status reaches the client",
            "let the service answer with the public status",
        )
    elif statuses:
        notes.differs(
            responses, f"{method.where} answers 200 whatever the service says; here its own status reaches the client"
        )


def _response(method: Method, name: str, part: Part, keys: Keys, notes: Notes) -> None:
    header = name.removeprefix("method.response.header.")
    source = part.value if isinstance(part.value, str) else ""
    fixed = _fixed(source)
    if header.lower().startswith(_CORS):
        return  # CORS is read from here elsewhere
    if fixed is not None:
        _set(method, ("response", "header", "set"), header, fixed, (part, keys), notes)
    elif source.lower() != f"integration.response.header.{header.lower()}":
        notes.lost(part, f"{method.where}: response header {header} is taken from {source}, which has no equivalent")
