"""Operation, answer -> what of the answer its contract forbids, by openapi-core: a judge that the gateway has no part in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, unquote

from pytest_sidegate.directions import REFUSED, directed
from pytest_sidegate.project import path_of
from pytest_sidegate.wire import Written
from xds.contract.shown import ShownOperation, ShownResponse
from xds.model import Operation, Place, Version
from xds.source import load


class Part(StrEnum):
    """The places in which an answer or a request can break its contract."""

    REQUEST = "request"
    STATUS = "status"
    HEADER = "header"
    MEDIA_TYPE = "media type"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which an exchange breaks its contract; `place` is where the contract says otherwise."""

    part: Part
    message: str
    place: Place

    def __str__(self) -> str:
        return f"{self.part}: {self.message}"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it came: names of headers are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)

    def joined(self, name: str) -> str:
        """All values of a header as one (RFC 9110, 5.2), since two of one value are another value."""
        return ",".join(value for known, value in self.headers if known == name)


@dataclass(slots=True)
class Judge:
    """Judges the answers, and the requests, of one version. Slow to make (openapi-core is), and quick to ask."""

    version: Version
    files: Mapping[str, bytes]
    shown: Mapping[Place, ShownOperation]
    _cores: dict[str, Any] = field(default_factory=dict)

    def answer(self, operation: Operation, request: Written, answer: Answered) -> tuple[Finding, ...]:
        """What is wrong with the answer to a request, nothing if it keeps the contract."""
        shown = self.shown.get(operation.place)
        declared = response_for(shown, answer.status) if shown else None
        if shown is not None and declared is None:
            known = ", ".join(r.status for r in shown.responses)
            return (Finding(Part.STATUS, f"{answer.status} is none of {known}", operation.place),)
        place = declared.place if declared else operation.place
        if declared is not None and not declared.contents:
            return tuple(self._without_content(operation, request, answer, place))
        return tuple(self._findings("response", _Request(request), _Response(answer), place))

    def request(self, operation: Operation, request: Written) -> tuple[Finding, ...]:
        """What is wrong with a request, credentials apart."""
        return tuple(self._findings("request", _Request(request), None, operation.place))

    def _without_content(
        self, operation: Operation, request: Written, answer: Answered, place: Place
    ) -> Iterator[Finding]:
        if answer.body and request.method != "HEAD":
            yield Finding(Part.BODY, f"the contract has no body with {answer.status}", place)
        bare = Answered(answer.status, answer.headers)
        yield from self._findings("response", _Request(request), _Response(bare), place)

    def _findings(self, side: str, request: _Request, response: _Response | None, place: Place) -> Iterator[Finding]:
        found: Exception | None = None
        try:
            core = self._prepared("readOnly" if response is None else "writeOnly")
            if response is None:
                core.validate_request(request)
            else:
                core.validate_response(request, response)
        except Exception as error:  # noqa: BLE001 - whatever the judge raises is its verdict
            found = error
        if found is not None:
            yield Finding(Part.REQUEST if side == "request" else _part(found), _words(found), place)

    def _prepared(self, hiding: str) -> Any:
        """openapi-core with the contract as one direction reads it; most contracts read alike in both."""
        word = hiding if any(hiding.encode() in data for data in self.files.values()) else ""
        if word not in self._cores:
            from openapi_core import Config, OpenAPI

            document = document_of(self.files, self.version)
            config = Config(spec_validator_cls=None, extra_media_type_deserializers=dict(self._json_types()))
            self._cores[word] = OpenAPI.from_dict(directed(document, word) if word else document, config=config)
        return self._cores[word]

    def _json_types(self) -> Iterator[tuple[str, Any]]:
        """The media types with the ending `+json`, which openapi-core does not know for JSON."""
        for shown in self.shown.values():
            for content in (*shown.bodies, *(c for r in shown.responses for c in r.contents)):
                if content.range.endswith("+json"):
                    yield content.range, json.loads


def response_for(shown: ShownOperation, status: int) -> ShownResponse | None:
    """The response that a contract has for a status: its own, its range's, else `default` (OpenAPI, Responses Object)."""
    by_status = {response.status.upper(): response for response in shown.responses}
    return next((by_status[s] for s in (str(status), f"{status // 100}XX", "DEFAULT") if s in by_status), None)


class _Request:
    """A request as openapi-core's protocol has it, decoded as its WSGI integrations do."""

    host_url = "http://localhost"

    def __init__(self, request: Written) -> None:
        from openapi_core.datatypes import RequestParameters
        from werkzeug.datastructures import Headers, ImmutableMultiDict
        from werkzeug.http import parse_cookie

        path, _, query = request.path.partition("?")
        self.path, self.method, self.body = unquote(path), request.method.lower(), request.body or None
        headers = [(name.lower(), value) for name, value in request.headers]
        self.content_type = dict(headers).get("content-type", "")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(query, keep_blank_values=True)),
            header=Headers(headers),
            cookie=parse_cookie("; ".join(value for name, value in headers if name == "cookie")),
        )


class _Response:
    """An answer as openapi-core's protocol has it."""

    def __init__(self, answer: Answered) -> None:
        from werkzeug.datastructures import Headers

        self.status_code, self.data = answer.status, answer.body
        self.content_type = answer.header("content-type") or ""
        self.headers = Headers([(name, answer.joined(name)) for name in dict.fromkeys(n for n, _ in answer.headers)])


_PARTS = (
    ("ResponseNotFound", Part.STATUS),
    ("MediaTypeNotFound", Part.MEDIA_TYPE),
    ("MediaTypeDeserializeError", Part.BODY),
    ("Header", Part.HEADER),
    ("Data", Part.BODY),
)


def _part(error: BaseException) -> Part:
    """Where an answer is wrong, by the names of what openapi-core raised and why."""
    names = [type(each).__name__ for each in _chain(error)]
    return next((part for word, part in _PARTS if any(word in name for name in names)), Part.BODY)


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _words(error: BaseException) -> str:
    """What openapi-core says: the schema's errors with their places, else the innermost reason."""
    for each in _chain(error):
        if inner := list(getattr(each, "schema_errors", None) or ()):
            return "; ".join(map(_schema_error, inner[:_MOST]))
    innermost = list(_chain(error))[-1]
    try:
        return str(innermost)[:500]
    except UnicodeDecodeError:  # openapi-core shows what it could not read as text
        return "it cannot be read as its media type says"


_MOST = 5


def _schema_error(error: Any) -> str:
    at = "/".join(map(str, getattr(error, "absolute_path", ())))
    refused = {getattr(error, "validator", ""): getattr(error, "validator_value", None)} == REFUSED
    words = "it must not be here" if refused else getattr(error, "message", error)
    return f"{f'/{at}: ' if at else ''}{words}"[:300]


def document_of(files: Mapping[str, bytes], version: Version) -> dict[str, Any]:
    """A contract in one document, as judges of other people's making read it: what its references to other files lead to
    stands where they were, its servers are mere paths, and it asks for no credentials, which are the gateway's."""
    return _unguarded(_with_paths(_Whole(files).of(version.place.file)))


_NEW = re.compile(r"3\.(?:[2-9]|\d\d)")


def _with_paths(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the paths of its servers alone: where it is served is not what is tested. openapi-core knows OpenAPI to
    3.1, whose words for answers are those of 3.2."""
    servers = document.get("servers") or [{"url": "/"}]
    paths = [path_of(server) or "/" for server in servers if isinstance(server, dict)]
    version = "3.1.1" if _NEW.match(str(document.get("openapi"))) else document.get("openapi")
    return {**document, "openapi": version, "servers": [{"url": path} for path in dict.fromkeys(paths)]}


def _unguarded(document: dict[str, Any]) -> dict[str, Any]:
    """The document without what it asks of credentials: those are the gateway's."""
    paths = document.get("paths")
    items = paths.items() if isinstance(paths, dict) else ()
    kept = {path: _without_security(item) for path, item in items}
    return {**{name: value for name, value in document.items() if name != "security"}, "paths": kept}


def _without_security(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {
        key: {name: each for name, each in value.items() if name != "security"} if isinstance(value, dict) else value
        for key, value in item.items()
    }


@dataclass(slots=True)
class _Whole:
    """Brings the parts of a contract together. References inside a document stay, those to other files are followed."""

    files: Mapping[str, bytes]
    _known: dict[str, Any] = field(default_factory=dict)

    def of(self, root: str) -> dict[str, Any]:
        whole: dict[str, Any] = self._inside(self._file(root), root, root, ())
        return whole

    def _file(self, name: str) -> Any:
        if name not in self._known:
            document, _ = load(name, self.files[name]) if name in self.files else (None, ())
            self._known[name] = document.value if document is not None else {}
        return self._known[name]

    def _inside(self, value: Any, file: str, root: str, above: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [self._inside(each, file, root, above) for each in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and not reference.startswith(("http:", "https:")):
            target, _, pointer = reference.partition("#")
            name = _beside(file, unquote(target)) if target else file
            if name != root:
                return self._followed(f"{name}#{pointer}", name, pointer, root, above)
            return {**value, "$ref": f"#{pointer}"}
        return {key: self._inside(each, file, root, above) for key, each in value.items()}

    def _followed(self, reference: str, name: str, pointer: str, root: str, above: tuple[str, ...]) -> Any:
        if reference in above:
            return {}  # a schema that holds itself: what is below its second turn is not judged here
        found = self._file(name)
        for step in unquote(pointer).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = (
                found[int(key)] if isinstance(found, list) else found.get(key, {}) if isinstance(found, dict) else {}
            )
        return self._inside(found, name, root, (*above, reference))


def _beside(file: str, target: str) -> str:
    from posixpath import dirname, normpath

    return normpath(f"{dirname(file)}/{target}")
