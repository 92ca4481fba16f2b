"""Contract -> Upstream: a service that answers with what its contract shows, and cannot answer with anything it forbids.

It is a pytest-httpserver, `server`: what a test tells that one to answer is judged too.
"""

from __future__ import annotations

import json as json_
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pytest_sidegate.made import Unmade, header_of, made
from pytest_sidegate.responses import Answered, Finding, Judge
from pytest_sidegate.routing import Chosen, Routes
from pytest_sidegate.target import Refused, target_of
from pytest_sidegate.wire import Written, document, simple
from xds.contract.shown import ShownContent, ShownResponse
from xds.model import MediaType, Operation, Version

if TYPE_CHECKING:
    from pytest_sidegate.project import Staged


class Lied(AssertionError):
    """The stubbed service gave an answer that its contract forbids. `received` has those requests."""

    def __init__(self, words: str, received: tuple[Received, ...] = ()) -> None:
        self.received = received
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Received:
    """A request that reached the service, and what it was answered."""

    operation: Operation | None
    request: Written
    answer: Answered
    findings: tuple[Finding, ...] = ()


class Upstream:
    """The stubbed service behind a gateway. `url` is where it listens; `server` the pytest-httpserver itself."""

    def __init__(self) -> None:
        self.server = _Server(self)
        self.staged: Staged | None = None
        self.received: list[Received] = []
        self._told: dict[str, Response] = {}
        self._judges: dict[str, Judge] = {}
        self._routes: Routes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def stands_for(self, staged: Staged) -> None:
        """Answer by these contracts from now on."""
        self.staged, self._routes, self._judges = staged, Routes(staged.compilation.gateway), {}

    def answer(
        self,
        operation: str,
        status: int,
        *,
        json: Any = None,
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        media: str | None = None,
    ) -> None:
        """What an operation (`getItem`, or `catalog/v1 getItem` where several have the name) answers until the test ends."""
        data = json_.dumps(json).encode() if json is not None else body.encode() if isinstance(body, str) else body
        kind = media or ("application/json" if json is not None else None)
        response = Response(data, status, headers=dict(headers or {}))
        response.headers.pop("content-type", None)
        if kind is not None:
            response.headers["content-type"] = kind
        self._told[operation] = response

    @property
    def lies(self) -> list[str]:
        """What of its answers broke the contract, an answer a line."""
        return [
            f"{r.request.method} {r.request.path} -> {r.answer.status}: {'; '.join(map(str, r.findings))}"
            for r in self.received
            if r.findings
        ]

    def check(self) -> None:
        """Raise `Lied` if an answer broke the contract, or what pytest-httpserver has to complain of."""
        if lies := self.lies:
            words = "the stubbed service gave answers that its contract forbids:\n  " + "\n  ".join(lies)
            raise Lied(words, tuple(each for each in self.received if each.findings))
        self.server.check()

    def reset(self) -> None:
        """Forget what was received, and what tests told it to answer."""
        self.received, self._told = [], {}
        self.server.clear()

    def stop(self) -> None:
        self.server.stop()

    def _stubbed(self, request: Request) -> Response:
        """The answer of whatever no test gave one to."""
        found = self._chosen(request)
        if found is None:
            return Response(f"no operation of the contracts is for {request.method} {request.path}", 501)
        version, operation = found.version, found.operation
        for name in (f"{version.service}/{version.name} {operation.name}", operation.name):
            if name in self._told:
                return self._told[name]
        assert self.staged is not None, "the fixture tells what the service stands for"
        return stub(self.staged, version, operation)

    def _note(self, request: Request, response: Response) -> None:
        written = _written(request)
        answer = Answered(response.status_code, _pairs(response), response.get_data())
        found = self._chosen(request)
        if found is None:
            self.received.append(Received(None, written, answer))
            return
        findings = self._judge(found.version).answer(found.operation, written, answer)
        self.received.append(Received(found.operation, written, answer, findings))

    def _judge(self, version: Version) -> Judge:
        name = f"{version.service}/{version.name}"
        if name not in self._judges:
            assert self.staged is not None, "an operation was found in it"
            self._judges[name] = Judge(version, self.staged.files, self.staged.shown(version))
        return self._judges[name]

    def _chosen(self, request: Request) -> Chosen | None:
        if self._routes is None:
            return None
        written = _written(request)
        headers = {name.lower(): value for name, value in written.headers}
        try:
            target = target_of(written.path, headers.get("host", "localhost"))
        except Refused:
            return None
        found = self._routes.find(target, request.method, headers)
        return found if isinstance(found, Chosen) else None


class _Server(HTTPServer):
    """A pytest-httpserver whose answers are noted, and that asks the stub where no test said anything."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__("127.0.0.1", 0, threaded=True)
        self._upstream = upstream

    def dispatch(self, request: Request) -> Response:
        response: Response = super().dispatch(request)
        self._upstream._note(request, response)
        return response

    def respond_nohandler(self, request: Request, extra_message: str = "") -> Response:
        return self._upstream._stubbed(request)


def stub(staged: Staged, version: Version, operation: Operation) -> Response:
    """The first success that a contract has for an operation, out of its examples, or made up by its schemas.

    Raises `Unmade` if there is neither.
    """
    shown = staged.shown(version)[operation.place]
    successes = [r for r in shown.responses if r.status.startswith("2")] or list(shown.responses)
    if not successes:
        return Response(b"", 200)
    declared = next((r for r in successes if any(c.examples for c in r.contents)), successes[0])
    status = int(declared.status) if declared.status.isdigit() else 200
    response = Response(b"", status)
    response.headers.pop("content-type", None)
    for name, value in _headers(staged, version, declared).items():
        response.headers[name] = value
    if declared.contents:
        kind, data = _body(staged, version, declared)
        response.set_data(data)
        response.headers["content-type"] = kind
    return response


def _body(staged: Staged, version: Version, declared: ShownResponse) -> tuple[str, bytes]:
    content: ShownContent = next((c for c in declared.contents if c.examples), declared.contents[0])
    if content.examples:
        value = content.examples[0].value
    else:
        value = made(staged.files, content.place, "schema", version.place.file)
    return document(MediaType(content.range, None, None), value)


def _headers(staged: Staged, version: Version, declared: ShownResponse) -> dict[str, str]:
    found = {}
    for name, examples in declared.headers.items():
        if name == "content-type":
            continue
        try:
            value = (
                examples[0].value
                if examples
                else made(staged.files, declared.place, f"headers/{name}", version.place.file)
            )
        except Unmade:
            continue
        header = header_of(staged.files, declared.place, name, version.place.file)
        found[name] = json_.dumps(value) if "content" in header else simple(value, header.get("explode") is True)
    return found


def _written(request: Request) -> Written:
    path = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path.rstrip("?")
    headers = tuple((name.lower(), value) for name, value in request.headers)
    return Written(request.method, path, headers, request.get_data())


def _pairs(response: Response) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in response.headers)
