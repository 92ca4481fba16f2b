"""`rewrite: {path: /items/{id}, host: NAME}`, `redirect: {to: /new/{id}}` -> what is asked for instead, and of whom.

Both are written with the operation's own variables, whose values hold no slash: a request cannot lead itself elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from xds.native.faults import nearest
from xds.native.feature import Feature, Problem, Site

if TYPE_CHECKING:
    from xds.model import Operation

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?"
)
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|\{[^{}/?#]+\})*")
VARIABLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Rewrite:
    """`path` is a template in the operation's variables; `strip` a beginning of the path that is taken off; "" is none."""

    path: str = ""
    strip: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a client is sent: `scheme` and `host` are empty for where it is; `path` is a template."""

    path: str
    scheme: str = ""
    host: str = ""
    port: int = 0
    status: int = 308


def _read_rewrite(value: Mapping[str, str]) -> Rewrite:
    return Rewrite(value.get("path", ""), value.get("strip", "").rstrip("/"), value.get("host", ""))


def _check_rewrite(value: Rewrite, operation: Operation, site: Site) -> Iterator[Problem]:
    if value.path and value.strip:
        yield Problem("`path` and `strip` both say what becomes of the path", help="keep one of them")
    if value.path:
        yield from _template(value.path, "/path", operation)
    if value.strip and not operation.path.text.startswith(value.strip + "/"):
        yield Problem(f"{operation.path.text} does not begin with {value.strip}/", "/strip", "name its beginning")
    if value.strip and "{" in value.strip:
        yield Problem("only literal text can be taken off", "/strip", "use `path`")
    port = value.host.partition(":")[2]
    if value.host and (not _HOST.fullmatch(value.host) or (port and not 0 < int(port) < 65536)):
        help_ = "a name, and a port of 1 to 65535 if it is not the scheme's"
        yield Problem(f"'{value.host}' is no host", "/host", help_)


def _template(text: str, pointer: str, operation: Operation) -> Iterator[Problem]:
    if not _PATH.fullmatch(text) or "//" in text or any(part in (".", "..") for part in text.split("/")):
        yield Problem(f"'{text}' is no plain path", pointer, "a path without query, `//`, `.` and `..`: /items/{id}")
    known = VARIABLE.findall(operation.path.text)
    for name in VARIABLE.findall(text):
        if name not in known:
            help_ = nearest(name, known) if known else "its path has no variables"
            yield Problem(f"{operation.path.text} has no variable {{{name}}}", pointer, help_)
        elif f"{{{name}}}" not in operation.path.text.split("/"):
            help_ = "only what is a whole segment can be moved elsewhere"
            yield Problem(f"{{{name}}} is a part of a segment of {operation.path.text}", pointer, help_)


def _read_redirect(value: Mapping[str, Any]) -> Redirect:
    status = value.get("status", 308)
    try:
        url = urlsplit(value["to"])
        if url.port == 0:
            return Redirect("", status=status)
        return Redirect(url.path or "/", url.scheme, url.hostname or "", url.port or 0, status)
    except ValueError:
        return Redirect("", status=status)


def _check_redirect(value: Redirect, operation: Operation, site: Site) -> Iterator[Problem]:
    if operation.native.mock:
        help_ = "keep one of them; `mock: false` if the mock is of the objects around"
        yield Problem("a mock answers here, so nobody is sent elsewhere", help=help_)
    written = operation.settings["redirect"].value["to"]
    if (not written.startswith("/") and not re.match("https?://[^/@?#]+(/|$)", written)) or re.search(
        r"[?#@\\]|^//", written
    ):
        yield Problem(f"'{written}' is neither a path nor a URL", "/to", "/new/{id}, or https://example.com/new/{id}")
        return
    if not value.path:
        yield Problem(f"'{written}' has no port that there is", "/to", "a port is 1 to 65535")
        return
    if value.host and not _HOST.fullmatch(value.host):
        yield Problem(f"'{value.host}' is no host", "/to", "variables may only stand in the path")
    yield from _template(value.path, "/to", operation)
    if not value.host and value.path == operation.path.text:
        yield Problem("the operation redirects to itself", "/to", "name another path")


def _words(value: Rewrite) -> str:
    path = value.path or (f"the path without {value.strip}" if value.strip else "the same path")
    return f"the service is asked for {path}" + (f" at host {value.host}" if value.host else "")


REWRITE = Feature(
    key="rewrite",
    field="rewrite",
    schema={
        "type": "object",
        "description": "what the service is asked for instead: {path: '/items/{id}'}, {strip: /shop/v1}, {host: shop.internal}",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "description": "a path in the operation's variables: /items/{id}",
            },
            "strip": {
                "type": "string",
                "pattern": "^/.",
                "description": "a beginning that is taken off the path: /shop/v1",
            },
            "host": {
                "type": "string",
                "minLength": 1,
                "description": "the host that the service reads; its upstream stays",
            },
        },
    },
    read=_read_rewrite,
    check=_check_rewrite,
    said=_words,
)

REDIRECT = Feature(
    key="redirect",
    field="redirect",
    schema={
        "type": "object",
        "description": "where the client is sent instead, once everything was judged: {to: '/new/{id}', status: 308}",
        "additionalProperties": False,
        "required": ["to"],
        "properties": {
            "to": {"type": "string", "minLength": 1, "description": "a path in the operation's variables, or a URL"},
            "status": {"enum": [301, 302, 303, 307, 308], "description": "301, 302, 303, 307 or 308 (the default)"},
        },
    },
    read=_read_redirect,
    check=_check_redirect,
    said=lambda value: f"{value.status} to {value.scheme + '://' + value.host if value.host else ''}{value.path}",
)
