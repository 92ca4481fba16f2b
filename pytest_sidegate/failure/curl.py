"""Request -> a curl line that sends it again, with variables of the shell where credentials were."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import unquote_plus

from sidecar.masking import ALWAYS
from sidecar.message import Request
from xds.model import Operation

TOKEN, CREDENTIALS, KEY, COOKIE = "TOKEN", "CREDENTIALS", "API_KEY", "COOKIE"


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable of the shell."""

    name: str


_Part = str | _Variable


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where a request carries credentials: `headers` (lower case), query parameters and cookies by name."""

    headers: frozenset[str] = frozenset(ALWAYS)
    queries: frozenset[str] = frozenset()


def secrets_of(operation: Operation | None) -> Secrets:
    """The headers that always hold credentials, and the API keys of an operation."""
    credentials = [c for a in operation.security for c in a.credentials] if operation else []
    headers = {c.name for c in credentials if c.place == "header"}
    return Secrets(frozenset({*ALWAYS, *headers}), frozenset(c.name for c in credentials if c.place == "query"))


def curl(request: Request, base: str = "http://127.0.0.1:8080", secrets: Secrets = Secrets()) -> str:
    """One line for a POSIX shell. `base` is scheme and authority; no credential is in the line."""
    words: list[Iterable[_Part]] = [["curl"], ["-sS"], ["-i"], ["--globoff"], ["--path-as-is"]]
    words += [["--head"]] if request.method == "HEAD" else [["-X"], [request.method]]
    words += [["--url"], [base + request.path, *_query(request.query, secrets)]]
    for name, value in request.headers:
        if name not in ("host", "content-length", "connection", "transfer-encoding"):
            words += [["-H"], _header(name, value, secrets)]
    before, body = _body(request)
    line = " ".join(map(_quoted, [*words, *body]))
    return f"{before}{line}"


def _query(query: str | None, secrets: Secrets) -> Iterable[_Part]:
    if query is None:
        return
    yield "?"
    for number, pair in enumerate(query.split("&")):
        name, equals, value = pair.partition("=")
        yield "&" if number else ""
        if unquote_plus(name) in secrets.queries:
            yield f"{name}="
            yield _Variable(KEY)
        else:
            yield f"{name}{equals}{value}"


def _header(name: str, value: str, secrets: Secrets) -> Iterable[_Part]:
    if name not in secrets.headers:
        return [f"{name}: {value}" if value else f"{name};"]
    scheme, _, _ = value.partition(" ")
    if name.endswith("authorization") and scheme.lower() in ("bearer", "basic"):
        return [f"{name}: {scheme} ", _Variable(TOKEN if scheme.lower() == "bearer" else CREDENTIALS)]
    return [f"{name}: ", _Variable(COOKIE if name == "cookie" else KEY)]


def _body(request: Request) -> tuple[str, list[Iterable[_Part]]]:
    """What goes before the line, and the words at its end. Bytes that a terminal must not see are in base64."""
    if not request.body:
        return "", []
    untyped: list[Iterable[_Part]] = [] if request.header("content-type") is not None else [["-H"], ["content-type:"]]
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if all(c.isprintable() or c in "\n\t" for c in text):
        return "", [*untyped, ["--data-raw"], [text]]
    encoded = base64.b64encode(request.body).decode()
    return f"printf %s {encoded} | base64 -d | ", [*untyped, ["--data-binary"], ["@-"]]


def _quoted(word: Iterable[_Part]) -> str:
    """A word of the shell: its texts quoted, each as one, its variables to be filled in."""
    texts = groupby(word, lambda part: isinstance(part, _Variable))
    parts = [(is_variable, list(found)) for is_variable, found in texts]
    return "".join(
        "".join(f'"${each.name}"' for each in found if isinstance(each, _Variable))
        if is_variable
        else shlex.quote(text)
        for is_variable, found in parts
        if (text := "".join(part for part in found if isinstance(part, str))) or is_variable
    )
