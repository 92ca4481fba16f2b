"""Operation -> a prepared judge of its requests."""

from __future__ import annotations

from typing import Any

from sidecar.message import Judgement, Params, Request
from xds.model import Location, Operation, Parameter

from . import body as bodies
from . import path as paths
from . import query as queries
from .explain import Checks
from .forms import whole_query
from .parameters import Field, text_field
from .report import Report, pointer

_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})
_EMPTY: dict[str, Any] = {}


class OperationJudge:
    """Everything of one operation that can be prepared; immutable once made."""

    def __init__(self, operation: Operation, checks: Checks) -> None:
        of = {where: [p for p in operation.parameters if p.location is where] for where in Location}
        names, self._read_path = paths.prepare(operation.path)
        declared = {p.name: p for p in of[Location.PATH]}
        # A variable that no parameter declares is the compiler's to refuse; here it is only not judged.
        self._path = tuple(
            (index, text_field(declared[name], checks)) for index, name in enumerate(names) if name in declared
        )
        self._query = queries.prepare(of[Location.QUERY], checks)
        self._querystring = tuple(whole_query(p, checks) for p in of[Location.QUERYSTRING])
        self._query_open = operation.query_open or bool(self._querystring)
        self._keys = frozenset(c.name for a in operation.security for c in a.credentials if c.place == "query")
        self._headers = tuple(
            (text_field(p, checks), _is_list(p)) for p in of[Location.HEADER] if p.name not in _IGNORED_HEADERS
        )
        self._cookies = tuple((text_field(p, checks), _is_list(p)) for p in of[Location.COOKIE])
        self._body = bodies.prepare(operation.body, checks)

    def judge(self, request: Request) -> Judgement:
        """Judge one request whole. Raises `path.Disagreement` if its path is not of this operation."""
        report = Report()
        path = self._judge_path(request.path, report)
        query = self._judge_query(request.query, report)
        header = self._judge_headers(request, report) if self._headers else _EMPTY
        cookie = self._judge_cookies(request, report) if self._cookies else _EMPTY
        body = self._body(request, report)
        return Judgement(Params(path, query, header, cookie), body, tuple(report.violations))

    def _judge_path(self, path: str, report: Report) -> dict[str, Any]:
        texts = self._read_path(path)
        into: dict[str, Any] = {}
        for index, field in self._path:
            if text := texts[index]:
                field.judge(text, into, report)
            else:
                field.refuse(report, "empty-parameter", "must not be empty")
        return into

    def _judge_query(self, text: str | None, report: Report) -> dict[str, Any]:
        into: dict[str, Any] = {}
        for field in self._querystring:
            if text:
                field.judge(text, into, report)
            else:
                field.absent(report)
        if not text and not self._query:
            return into
        found = queries.pairs_of(text, report) if text and not self._querystring else {}
        for parameter in self._query:
            parameter.judge(found, into, report)
        if found and not self._query_open:
            for name in (name for name in found if name not in self._keys):
                report.add("query", pointer((name,)), "unknown-parameter", "is not a parameter of this operation")
        return into

    def _judge_headers(self, request: Request, report: Report) -> dict[str, Any]:
        sent: dict[str, list[str]] = {}
        for name, value in request.headers:
            sent.setdefault(name, []).append(value)
        into: dict[str, Any] = {}
        for field, is_list in self._headers:
            _judge_lines(field, is_list, sent.get(field.name), ",", into, report)
        return into

    def _judge_cookies(self, request: Request, report: Report) -> dict[str, Any]:
        sent = _cookies(request)
        into: dict[str, Any] = {}
        for field, is_list in self._cookies:
            _judge_lines(field, is_list, sent.get(field.name), "&", into, report)
        return into


def _is_list(parameter: Parameter) -> bool:
    return not parameter.shape.types.isdisjoint({"array", "object"}) and parameter.media_type is None


def _judge_lines(
    field: Field, is_list: bool, texts: list[str] | None, joint: str, into: dict[str, Any], report: Report
) -> None:
    """A header or cookie that may come several times; lists are joined (RFC 9110, section 5.3)."""
    if texts is None:
        field.absent(report)
    elif len(texts) > 1 and not is_list:
        field.refuse(report, "duplicate-parameter", "may be given only once")
    elif texts == [""]:
        field.refuse(report, "empty-parameter", "must not be empty")
    else:
        field.judge(texts[0] if len(texts) == 1 else joint.join(texts), into, report)


def _cookies(request: Request) -> dict[str, list[str]]:
    """Cookie pairs of every `cookie` header (RFC 6265, section 4.2; HTTP/2 may split them: RFC 9113, section 8.2.3)."""
    found: dict[str, list[str]] = {}
    for line in request.all("cookie"):
        for pair in line.split(";"):
            name, equals, value = pair.partition("=")
            if equals:
                found.setdefault(name.strip(" \t"), []).append(value.strip(" \t"))
    return found
