"""Exchange -> the keys of the points that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_sidegate.responses import response_for
from sidecar.message import Judgement, Request
from sidecar.validate.media import choose, parse_content_type
from xds.contract.shown import ShownOperation
from xds.model import Location, Operation

from .points import ALLOWED, DENIED, GIVEN, LEFT_OUT, NONE_MET, Kind, key, worded


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was judged as one of an operation, and what came of it.

    `judgement` is what the contract says of it, None where it was refused before. `met` are the alternatives of the security
    requirement that its credentials met, `()` if none is, None where nobody looked. `decision` is the policy's word, None if
    it was not asked. `status` and `media` (its Content-Type) are of the answer that the client got, None if there was none.
    """

    version: str
    operation: Operation
    request: Request | None = None
    judgement: Judgement | None = None
    met: tuple[int, ...] | None = None
    decision: bool | None = None
    status: int | None = None
    media: str | None = None


def seen(exchange: Exchange, shown: ShownOperation | None) -> frozenset[str]:
    """The keys of the points that an exchange shows.

    Parameters and request bodies count where the whole request keeps its contract: what was refused was not shown to work.
    """
    found = _of(exchange, shown)
    return frozenset(key(exchange.version, exchange.operation.id, kind, what) for kind, what in found)


def _of(exchange: Exchange, shown: ShownOperation | None) -> Iterator[tuple[Kind, str]]:
    yield Kind.OPERATION, ""
    if exchange.request is not None and exchange.judgement is not None and not exchange.judgement.violations:
        yield from _parameters(exchange.operation, exchange.judgement)
        yield from _body(exchange.operation, exchange.request)
    yield from _security(exchange)
    if exchange.decision is not None:
        yield Kind.POLICY, ALLOWED if exchange.decision else DENIED
    if exchange.status is not None and shown is not None:
        yield from _answer(exchange.status, exchange.media, shown)


def _parameters(operation: Operation, judgement: Judgement) -> Iterator[tuple[Kind, str]]:
    params = judgement.params
    given = {
        Location.PATH: params.path,
        Location.QUERY: params.query,
        Location.QUERYSTRING: params.query,
        Location.HEADER: params.header,
        Location.COOKIE: params.cookie,
    }
    for parameter in operation.parameters:
        is_given = parameter.name in given[parameter.location]
        if is_given or not parameter.required:
            yield Kind.PARAMETER, f"{parameter.location} {parameter.name} {GIVEN if is_given else LEFT_OUT}"


def _body(operation: Operation, request: Request) -> Iterator[tuple[Kind, str]]:
    body = operation.body
    if body is None:
        return
    content_type = parse_content_type(request.header("content-type") or "")
    there = bool(request.body) or request.header("content-length") not in (None, "0")  # one that streams is not held
    entry = choose(body.media, content_type.name) if content_type and there else None
    if entry is not None:
        yield Kind.REQUEST, entry.range
    elif not there and not body.required:
        yield Kind.REQUEST, LEFT_OUT


def _security(exchange: Exchange) -> Iterator[tuple[Kind, str]]:
    security = exchange.operation.security
    for index in exchange.met or ():
        yield Kind.SECURITY, worded(security[index])
    if security and exchange.met == ():
        yield Kind.SECURITY, NONE_MET


def _answer(status: int, media: str | None, shown: ShownOperation) -> Iterator[tuple[Kind, str]]:
    response = response_for(shown, status)
    if response is None:
        return
    yield Kind.STATUS, response.status
    content_type = parse_content_type(media or "")
    name = content_type.name if content_type else ""
    ranges = {content.range for content in response.contents}
    for candidate in (name, name.partition("/")[0] + "/*", "*/*"):
        if name and candidate in ranges:
            yield Kind.RESPONSE, f"{response.status} {candidate}"
            return
