"""`servers` -> base paths. Only the path of a server's URL counts; its host routes nothing."""

from __future__ import annotations

import re

from .node import Node
from .report import Report

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?(?://[^/?#]*)?(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)


def bases(node: Node, report: Report) -> tuple[str, ...] | None:
    """The base paths of an object's `servers`, each once and without a slash at the end; None if it has no `servers`."""
    servers = report.sequence(node, "servers")
    if servers is None or not servers.value:
        return None
    found = [_base(server, report) for server in servers.items()]
    return tuple(dict.fromkeys(base for base in found if base is not None))


def _base(server: Node, report: Report) -> str | None:
    if report.expect(server, dict, "a server") is None:
        return None
    report.fields(server, frozenset({"url", "description", "variables", "name"}), "a Server Object")
    url = report.text(server, "url")
    variables = report.mapping(server, "variables")
    missing: list[str] = []

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1]) if variables is not None else None
        value = report.expect(variable.get("default"), str, "`default`") if variable is not None else None
        if value is None:
            missing.append(match[1])
        return value or ""

    match = _URL.fullmatch(_VARIABLE.sub(default, url))
    for name in missing:
        report.add("server-url", f"the variable {name!r} of this server has no default", server.get("url") or server)
    if match is None or match["rest"]:
        report.add("server-url", "a server's URL has neither query nor fragment", server.get("url") or server)
        return None
    path = match["path"].rstrip("/")
    return path if path.startswith("/") or not path else f"/{path.removeprefix('./')}"
