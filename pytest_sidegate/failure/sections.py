"""Request, verdict -> the sections of a failure: request, contract, decision, reproduce."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_sidegate.verdicts import Verdict
from sidecar.message import Request, Violation
from xds.diagnostics import Span
from xds.model import Mode, Operation, Place
from xds.source import excerpt, span
from xds.terminal import clean

from .curl import curl, secrets_of

MOST_BODY = 2000
"""Characters of a body that are shown."""

MOST_LINE = 160
"""Characters of a line of a contract or a policy that are shown."""

_CREDENTIALS = ("token-", "credentials-", "insufficient-scope")
"""Codes of refusals for what a request lacks of credentials."""

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a test sent it. `path` holds the query too; `base` is scheme and authority of where it went."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    base: str = "http://127.0.0.1:8080"

    @property
    def request(self) -> Request:
        path, mark, query = self.path.partition("?")
        headers = tuple((name.lower(), value) for name, value in self.headers)
        return Request(self.method, path, query if mark else None, headers, self.body)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a failure's report. `text` controls no terminal, and holds no credential."""

    title: str
    text: str


def sections(
    asked: Asked,
    verdict: Verdict | None,
    files: Files,
    answered: Iterable[str] = (),
    broken: Iterable[Place] = (),
    operation: Operation | None = None,
) -> tuple[Section, ...]:
    """What there is to say of a failed test.

    `verdict` is what the gateway decided; `answered` are lines on the answer, such as what is wrong with it, and `broken` the
    places in the contract that the answer breaks. `operation` is the request's, where there is no verdict to say it.
    """
    operation = verdict.operation if verdict and verdict.operation else operation
    found = [Section("request", _block(_request(asked, operation)))]
    if lines := [*answered]:
        found.append(Section("answer", _block(lines)))
    places = dict.fromkeys(place for place in broken if place.file)
    theirs = [line for place in places for line in _place(span(files, place), files)]
    if lines := theirs or [*_contract(verdict, files)] or _at(operation, files):
        found.append(Section("contract", _block(lines)))
    if verdict is not None:
        found.append(Section("decision", _block(_trace(verdict, files))))
    found.append(Section("reproduce", _block([curl(asked.request, asked.base, secrets_of(operation))])))
    return tuple(found)


def as_text(found: Iterable[Section]) -> str:
    """The sections as one text, each below its title."""
    return "\n".join(f"{each.title}:\n" + "\n".join(f"  {line}" for line in each.text.splitlines()) for each in found)


def _block(lines: Iterable[str]) -> str:
    return "\n".join(clean(part) for line in lines for part in line.split("\n"))


def _request(asked: Asked, operation: Operation | None) -> Iterator[str]:
    secrets = secrets_of(operation)
    path, mark, query = asked.path.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    shown = "&".join(f"{n}{e}{'***' if n in secrets.queries else v}" for n, e, v in pairs) if mark else ""
    yield f"{asked.method} {path}{mark}{shown}"
    for name, value in asked.headers:
        yield f"{name}: {_masked(value) if name.lower() in secrets.headers else value}"
    if asked.body:
        yield ""
        try:
            text = asked.body.decode()
            yield text if len(text) <= MOST_BODY else f"{text[:MOST_BODY]}... ({len(asked.body)} bytes)"
        except UnicodeDecodeError:
            yield f"({len(asked.body)} bytes that are no text)"


def _masked(value: str) -> str:
    """A credential with nothing left but its scheme, if it has one."""
    scheme, space, _ = value.partition(" ")
    return f"{scheme} ***" if space and scheme.lower() in ("bearer", "basic") else "***"


def _contract(verdict: Verdict | None, files: Files) -> Iterator[str]:
    if verdict is None or verdict.operation is None:
        return
    for violation in verdict.judgement.violations:
        yield f"{violation.location} {violation.pointer or '(whole)'}: {violation.detail} [{violation.code}]"
        yield from _place(_violated(violation, verdict.operation, files), files)
    if not verdict.judgement.violations:
        asks = (verdict.code or "").startswith(_CREDENTIALS)
        at = _security(verdict.operation, files) if asks else span(files, verdict.operation.place)
        yield from _place(at, files)


def _security(operation: Operation, files: Files) -> Span:
    """Where the contract asks for credentials: at the operation, or for the whole document."""
    place = operation.place
    for pointer in (f"{place.pointer}/security", "/security"):
        at, above = span(files, Place(place.file, pointer)), span(files, Place(place.file, pointer.rpartition("/")[0]))
        if at.line != above.line:
            return at
    return span(files, place)


def _at(operation: Operation | None, files: Files) -> list[str]:
    return [*_place(span(files, operation.place), files)] if operation is not None else []


def _violated(violation: Violation, operation: Operation, files: Files) -> Span:
    """The violated keyword's line; of what no keyword says, that of the parameter, the body or the operation."""
    file, _, pointer = (violation.schema or "").partition("#")
    if file in files:
        return span(files, Place(file, pointer))
    name = violation.pointer.removeprefix("/").partition("/")[0]
    for parameter in operation.parameters:
        if (parameter.location, parameter.name) == (violation.location, name):
            return span(files, parameter.place)
    if violation.location == "body" and operation.body is not None:
        return span(files, operation.body.place)
    return span(files, operation.place)


def _trace(verdict: Verdict, files: Files) -> Iterator[str]:
    """match, validate, decide: each step as far as the request came."""
    if verdict.operation is None or verdict.version is None:
        yield f"match     no operation: {verdict.status} {verdict.code}"
        return
    version, operation = verdict.version, verdict.operation
    yield f"match     {version.service} {version.name} {operation.name}  {_short(span(files, operation.place))}"
    if verdict.request is None:
        yield f"refused   {verdict.status} {verdict.code}, before the contract was looked at"
        return
    violations = len(verdict.judgement.violations)
    conforms = "not looked at: mode off" if operation.mode is Mode.OFF else "the request keeps its contract"
    yield f"validate  {f'{violations} violation' + 's' * (violations > 1) if violations else conforms}"
    decision = verdict.decision
    if decision is not None:
        word = "allowed" if decision.allowed else f"{decision.code}"
        yield f"decide    {word}{f': {decision.reason}' if decision.reason else ''}"
        if decision.rule is not None:
            yield from ("          " + line for line in _place(decision.rule, files))
    elif operation.policy.exempt is not None:
        yield f"decide    no policy is asked: {operation.policy.exempt}"
    yield "respond   " + ("forwarded" if verdict.allowed else f"{verdict.status} {verdict.code}")


def _place(at: Span, files: Files) -> Iterator[str]:
    yield _short(at)
    line = excerpt(files, at)
    if line is not None and line.strip():
        yield f"  {line.strip()[:MOST_LINE]}"


def _short(at: Span) -> str:
    return f"{at.file}:{at.line}" if at.line else at.file
