"""`contracts/<service>/<version>_test.yaml` -> rows: requests, who sends them, and what they are answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPMethod
from posixpath import splitext
from typing import Any

from xds.compile.layout import TESTS
from xds.dev import parse_dev
from xds.diagnostics import Diagnostic, Span, did_you_mean
from xds.native.errors import codes
from xds.source import Document, load
from xds.source.mappings import Walk

_KEYS = ("title", "request", "operation", "example", "token", "key", "headers", "body", "expect")
_METHODS = frozenset(HTTPMethod)
_EXPECT = re.compile(r"([2-5][0-9]{2})(?: ([a-z][a-z0-9-]*))?")
_CODES = "a status alone will do; CODES.md lists the codes"
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.1


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer: below 400 it is the service's, one that the contract has; above, the gateway's refusal, with its `code`
    if the row asks for one."""

    status: int
    code: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.code}" if self.code else str(self.status)


@dataclass(frozen=True, slots=True)
class Row:
    """One request. Either `request` is `METHOD /path?query`, or `operation` is an id and `example` the name of its examples
    that the request is made of (empty: all of them, a request for each name). `claims` are of the token that is sent, None
    for none; `consumer` is whose API key is sent."""

    title: str
    place: Span
    expected: Expected
    request: str = ""
    operation: str = ""
    example: str = ""
    claims: Mapping[str, Any] | None = None
    consumer: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one version's file; `version` is `service/version`."""

    file: str
    version: str
    rows: tuple[Row, ...] = ()


def tables(files: Mapping[str, bytes]) -> tuple[tuple[Table, ...], tuple[Diagnostic, ...]]:
    """All tables of a project, in the order of their files, and what is wrong with them (`tests-invalid`).

    Tokens are named in a table, or in the `dev` section of sidegate.yaml, where `sidegate up` has them.
    """
    found: list[Table] = []
    said: list[Diagnostic] = []
    shared = parse_dev(files)[0].tokens
    for file in sorted(f for f in files if _is_table(f)):
        document, problems = load(file, files[file])
        said += problems
        if document is not None:
            reader = _Reader(document, said, dict(shared))
            found.append(reader.table())
    return tuple(found), tuple(said)


def strays(tables: Iterable[Table], versions: Sequence[str]) -> Iterator[Diagnostic]:
    """Tables of versions that there are not."""
    for table in tables:
        if table.version not in versions:
            message = f"there is no version {table.version}"
            yield Diagnostic("tests-invalid", message, Span(table.file, 1, 1), did_you_mean(table.version, versions))


def _is_table(file: str) -> bool:
    parts = file.split("/")
    return parts[0] == "contracts" and len(parts) == 3 and splitext(parts[2])[0].endswith(TESTS)


@dataclass(slots=True)
class _Reader(Walk):
    CODE = "tests-invalid"
    document: Document
    tokens: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def table(self) -> Table:
        _, service, name = self.document.file.split("/")
        version = f"{service}/{splitext(name)[0].removesuffix(TESTS)}"
        whole = self.mapping(self.document.value, "", ("tokens", "tests"))
        for token, claims in self.mapping(whole.get("tokens"), "/tokens").items():
            self.tokens[token] = self.mapping(claims, f"/tokens/{token}")
        listed = whole.get("tests")
        if not isinstance(listed, list):
            self.refuse("/tests" if "tests" in whole else "", "needs `tests`: a list of requests")
            listed = []
        rows = (self.row(each, f"/tests/{number}") for number, each in enumerate(listed))
        return Table(self.document.file, version, tuple(row for row in rows if row is not None))

    def row(self, value: Any, at: str) -> Row | None:
        before = len(self.found)
        section = self.mapping(value, at, _KEYS)
        request, operation = self.text(section, "request", at), self.text(section, "operation", at)
        if bool(request) == bool(operation):
            self.refuse(at, "needs either a `request` or an `operation`")
        method, _, path = request.partition(" ")
        if request and (method not in _METHODS or not path.startswith("/")):
            self.refuse(f"{at}/request", "`request` is like `GET /path?query`")
        if operation and "body" in section:
            self.refuse(f"{at}/body", "the body of an `operation` is that of its examples")
        if request and "example" in section:
            self.refuse(f"{at}/example", "an `example` is of an `operation`")
        expected = self.expected(section, at)
        headers = self.headers(section, at)
        claims = self.claims(section, at)
        consumer = self.text(section, "key", at) or None
        if expected is None or len(self.found) > before:
            return None
        body, more = _body(section, headers)
        title = self.text(section, "title", at) or request or f"{operation} {section.get('example', '')}".strip()
        example = self.text(section, "example", at)
        place = self.document.span(at)
        return Row(title, place, expected, request, operation, example, claims, consumer, (*headers, *more), body)

    def expected(self, section: Mapping[str, Any], at: str) -> Expected | None:
        word = section.get("expect")
        match = _EXPECT.fullmatch(str(word)) if isinstance(word, int | str) else None
        if match is None:
            where = f"{at}/expect" if "expect" in section else at
            self.refuse(
                where, "`expect` is a status, and of a refusal also its code, as in `200` or `403 policy-denied`"
            )
            return None
        if match[2] and int(match[1]) < 400:
            self.refuse(f"{at}/expect", "only refusals have a code")
        elif match[2] and match[2] not in codes():
            self.refuse(
                f"{at}/expect", f"no refusal has the code '{match[2]}'", did_you_mean(match[2], codes()) or _CODES
            )
        return Expected(int(match[1]), match[2])

    def claims(self, section: Mapping[str, Any], at: str) -> Mapping[str, Any] | None:
        token = self.text(section, "token", at)
        if not token:
            return None
        if token not in self.tokens:
            self.refuse(f"{at}/token", f"there is no token '{token}'", did_you_mean(token, self.tokens))
        return self.tokens.get(token)

    def headers(self, section: Mapping[str, Any], at: str) -> tuple[tuple[str, str], ...]:
        found = []
        for name, value in self.mapping(section.get("headers"), f"{at}/headers").items():
            if not _HEADER.fullmatch(name) or not isinstance(value, str | int | float) or "\n" in str(value):
                self.refuse(f"{at}/headers/{name}", "a header has a name and a text")
            found.append((name.lower(), str(value)))
        return tuple(found)

    def text(self, section: Mapping[str, Any], key: str, at: str) -> str:
        value = section.get(key, "")
        if not isinstance(value, str):
            self.refuse(f"{at}/{key}", f"`{key}` must be text")
            return ""
        return value


def _body(
    section: Mapping[str, Any], headers: tuple[tuple[str, str], ...]
) -> tuple[bytes | None, tuple[tuple[str, str], ...]]:
    """The bytes to send, and the Content-Type to add: JSON, unless the row says what its text is."""
    if "body" not in section:
        return None, ()
    typed = any(name == "content-type" for name, _ in headers)
    value = section["body"]
    if typed and isinstance(value, str):
        return value.encode(), ()
    return json.dumps(value).encode(), () if typed else (("content-type", "application/json"),)
