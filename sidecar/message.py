"""Request, Response: what was asked and what is answered, whatever carried it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the proxy will forward it.

    `path` is Envoy's normalised path without the query, still percent-encoded; `query` is the raw text after `?` or None
    if there is no `?`. `headers` are in order, names lower case, values as Latin-1 text. `body` is whole.
    """

    method: str
    path: str
    query: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of the first header of that (lower-case) name, or None."""
        return next((v for n, v in self.headers if n == name), None)

    def all(self, name: str) -> list[str]:
        """The values of every header of that (lower-case) name, in order."""
        return [v for n, v in self.headers if n == name]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status, header pairs, body."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a request breaks its contract.

    `location` is `path`, `query`, `header`, `cookie` or `body` (the problem document's `in`); `pointer` an RFC 6901
    pointer, `/name` for a parameter; `code` a row of the published table (`sidecar.codes`); `detail` says what was
    expected and never quotes what was sent. `status` is what the code answers with. `schema` is the pointer of the
    violated keyword in its resource, as `file#pointer`, where one is.
    """

    location: str
    pointer: str
    code: str
    detail: str
    status: int = 400
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters decoded and typed by the contract; the shape of `input.sidegate.params`."""

    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    cookie: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the contract says of a request: the decoded parameters and body, and every violation (none: it conforms).

    `body` is the parsed body, or `NO_BODY` if there was none or nothing parses it.
    """

    params: Params
    body: Any
    violations: tuple[Violation, ...] = ()


NO_BODY: Any = type("NoBody", (), {"__repr__": lambda self: "NO_BODY", "__bool__": lambda self: False})()
