"""Request body -> value and violations, by the operation's Request Body Object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sidecar.message import NO_BODY, Request
from xds.model import Body, MediaType, Schemas
from xds.streaming import says_nothing, streams

from . import strictjson
from .content import is_json
from .explain import Checks
from .forms import Multipart, UrlEncoded
from .media import ContentType, choose, parse_content_type
from .multipart import read_parts
from .report import Report
from .text import Malformed, scalar, utf8

Judge = Callable[[Request, Report], Any]
Read = Callable[[bytes, ContentType, Report], Any]


def prepare(body: Body | None, checks: Checks) -> Judge:
    """A function from a request to its parsed body, or `NO_BODY`; what is wrong goes to the report."""
    if body is None:
        return _none_expected
    prepared = PreparedBody(body, checks)
    return prepared.judge_head if streams(body, Schemas(checks.library.resources)) else prepared.judge


def _none_expected(request: Request, report: Report) -> Any:
    if request.body:
        report.add("body", "", "unexpected-body", "the operation takes no request body")
    return NO_BODY


class PreparedBody:
    """A Request Body Object with one reader for each entry of its `content`, made when it is first needed."""

    def __init__(self, body: Body, checks: Checks) -> None:
        self._body = body
        self._checks = checks
        self._entries: dict[str, Entry | None] = {}

    def judge(self, request: Request, report: Report) -> Any:
        """Check what is around the body, then the body. A body over the limit is not looked into."""
        body, data = self._body, request.body
        if not data:
            if body.required:
                report.add("body", "", "missing-body", "a request body is required")
            return NO_BODY
        if len(data) > body.limit:
            report.add("body", "", "body-too-large", f"must be at most {body.limit} bytes long")
            return NO_BODY
        content_type, entry = self._typed(request, report)
        return entry.judge(data, content_type, report) if content_type and entry else NO_BODY

    def judge_head(self, request: Request, report: Report) -> Any:
        """Check what is said of a body that is forwarded as it comes. Chunks, and HTTP/2, have no length: one with a type
        and no length counts as there."""
        if _is_announced(request):
            self._typed(request, report)
        elif self._body.required:
            report.add("body", "", "missing-body", "a request body is required")
        return NO_BODY

    def _typed(self, request: Request, report: Report) -> tuple[ContentType | None, Entry | None]:
        """The body's type with the entry that judges it, or a violation."""
        written: list[str] = []
        for name, value in request.headers:
            if name == "content-type":
                written.append(value)
            elif name == "content-encoding" and value.strip(" \t").lower() not in {"", "identity"}:
                report.add("body", "", "unsupported-encoding", "must be sent without a Content-Encoding")
                return None, None
        content_type = parse_content_type(written[0]) if len(written) == 1 else None
        entry = self._entry(content_type.name) if content_type else None
        if entry is None:
            report.add("body", "", "unsupported-media-type", self._expected())
        return content_type, entry

    def _entry(self, name: str) -> Entry | None:
        """The entry for a type; remembered only for types that the contract names, so that clients cannot fill memory."""
        if (entry := self._entries.get(name)) is not None:
            return entry
        media = choose(self._body.media, name)
        if media is None:
            return None
        entry = Entry(media, name, self._checks)
        if media.range == name:
            self._entries[name] = entry
        return entry

    def _expected(self) -> str:
        return "the Content-Type must be one of " + ", ".join(media.range for media in self._body.media)


class Entry:
    """One Media Type Object, for bodies of one type."""

    def __init__(self, media: MediaType, name: str, checks: Checks) -> None:
        self._check = checks.check(media.schema)
        self._read, self._is_parsed = _reader(media, name, checks)

    def judge(self, data: bytes, content_type: ContentType, report: Report) -> Any:
        """Read the body and check it against the schema. What cannot be read is not checked."""
        before = len(report.violations)
        try:
            value = self._read(data, content_type, report)
        except strictjson.NotJson as error:
            report.add("body", "", error.code, error.detail)
            return NO_BODY
        except Malformed as error:
            report.add("body", "", _body_code(error), error.detail)
            return NO_BODY
        if not self._is_parsed:
            return NO_BODY
        if self._check is not None and len(report.violations) == before and not self._check.is_valid(value):
            report.add_findings("body", "", self._check, value, len(data))
        return value


def _is_announced(request: Request) -> bool:
    """Whether the headers say that there is a body, or leave it open."""
    length = request.header("content-length")
    if request.body or length is None:
        return bool(request.body) or any(request.header(name) for name in ("content-type", "transfer-encoding"))
    return length.strip("0") != ""


def _body_code(error: Malformed) -> str:
    return "malformed-text" if error.code == "malformed-parameter" else error.code


def _reader(media: MediaType, name: str, checks: Checks) -> tuple[Read, bool]:
    """How bodies of a type are read, and whether that gives a value to check.

    What nothing here parses, as XML or bytes, passes as it is if its schema asks nothing of it, and is refused otherwise:
    under a range such as `*/*` the client chooses the type, and must not choose whether the schema counts.
    """
    if is_json(name):
        return _json, True
    if name == "application/x-www-form-urlencoded":
        form = UrlEncoded(media, checks)
        return lambda data, content_type, report: form.read(_utf8_only(data, content_type), report), True
    if name == "multipart/form-data":
        multipart = Multipart(media, checks)
        return lambda data, content_type, report: multipart.read(
            read_parts(data, content_type.parameter("boundary")), report
        ), True
    if name.startswith("text/") and name != "text/xml":
        decode = scalar(media.shape) if media.shape else str
        return lambda data, content_type, report: decode(utf8(_utf8_only(data, content_type))), True
    return (_unparsed if says_nothing(media, Schemas(checks.library.resources)) else _unreadable), False


def _json(data: bytes, content_type: ContentType, report: Report) -> Any:
    return strictjson.read(data if not content_type.parameters else _utf8_only(data, content_type, ascii_too=False))


def _unparsed(data: bytes, content_type: ContentType, report: Report) -> Any:
    return NO_BODY


def _unreadable(data: bytes, content_type: ContentType, report: Report) -> Any:
    raise Malformed("a body of this type cannot be checked against the schema", "unsupported-media-type")


def _utf8_only(data: bytes, content_type: ContentType, ascii_too: bool = True) -> bytes:
    charset = (content_type.parameter("charset") or "utf-8").lower()
    if charset == "utf-8" or (ascii_too and content_type.is_utf8):
        return data
    raise Malformed("the charset must be UTF-8", "unsupported-media-type")
