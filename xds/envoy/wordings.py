"""Operation -> how its refusals are worded: data in the route, read by mappers that are the same for everybody.

Envoy words its own answers in the listener, whose change would drain connections. So the texts travel with the routes:
under `errors` in a route's metadata stands, by code, the body before and behind the trace id, which only the request
knows, and the media type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from envoy_data_plane.envoy.config.core.v3 import DataSource, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import ResponseMapper

from xds.envoy.filters import trace
from xds.envoy.local_replies import KEPT, PROBLEM, added, when
from xds.envoy.names import METADATA
from xds.envoy.replaced import headers
from xds.envoy.replies import ANY, REPLIES, Reply
from xds.envoy.typed import overwrite
from xds.model import Operation
from xds.native.errors import (
    ENDING,
    GONE,
    OF_PATHS,
    SERVICE,
    UNROUTED,
    Wording,
    Wordings,
    declared_media,
    of_path,
    worded,
    wording,
)

ERRORS = f"xds.route_metadata.filter_metadata['{METADATA}']['errors']"
_GUARD = f"'errors' in xds.route_metadata.filter_metadata['{METADATA}']"
_TRACE = "0sidegate0trace0id0"
_STATUS = 987654321
"""Stand for what only the request knows, in JSON and in any other text."""
_NOTHING: Mapping[str, str] = MappingProxyType({})


def text_of_path(operations: Sequence[Operation], status: int) -> Mapping[str, object]:
    """The member of the metadata of a path's route that refuses what is none of its operations'; empty if nothing is said."""
    reply = _REPLIES[status]
    found = of_path(operations, reply.code, status)
    return _said(reply, found[0], declared_media(found[1], status)) if found else {}


def text_of_base(errors: Wordings) -> Mapping[str, object]:
    """The same for 404 below a base path."""
    reply = _REPLIES[404]
    own = wording(errors, reply.code, 404)
    return _said(reply, own, PROBLEM) if own else {}


def _said(reply: Reply, own: Wording, declared: str) -> Mapping[str, object]:
    document = _document(reply.code, reply.status, reply.title, reply.detail)
    return {"errors": {reply.code: _split(*worded(own, document, declared))}}


_REPLIES = {reply.status: reply for reply in REPLIES if reply.code in OF_PATHS}


def texts(operation: Operation, version: str, ending: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What an operation's route says of refusals, by code. `ending` is what the one after a sunset names."""
    if not operation.native.errors:
        return {}
    found = {
        reply.code: _text(operation, version, reply, {**dict.fromkeys(ENDING), **ending} if reply.code == GONE else {})
        for reply in REPLIES
        if reply.code not in (*UNROUTED, *OF_PATHS)
    }
    found[SERVICE] = service_error(operation, version)
    return {code: text for code, text in found.items() if text is not None}


def _text(operation: Operation, version: str, reply: Reply, more: Mapping[str, str | None]) -> dict[str, str] | None:
    fault = operation.native.fault
    status = (fault.abort if fault else None) or 503 if reply.status == ANY else reply.status
    return _pieces(operation, version, reply.code, status, reply.title, reply.detail, more)


def service_error(operation: Operation, version: str) -> dict[str, str] | None:
    """What is said in the place of the service's own 5xx; its status is left as a sign."""
    found = _pieces(operation, version, SERVICE, _STATUS, "Service Error", "The service failed.")
    if found is None:
        return None
    return {key: value.replace("%", "%%").replace(str(_STATUS), "%RESPONSE_CODE%") for key, value in found.items()}


def _pieces(
    operation: Operation,
    version: str,
    code: str,
    status: int,
    title: str,
    detail: str,
    more: Mapping[str, str | None] = _NOTHING,
) -> dict[str, str] | None:
    own = wording(operation.native.errors, code, status)
    if own is None:
        return None
    document = {**_document(code, status, title, detail, operation.name, version), **more}
    return _split(*worded(own, document, declared_media(operation, 500 if status == _STATUS else status)))


def _document(
    code: str, status: int, title: str, detail: str, operation: str | None = None, version: str | None = None
) -> dict[str, object]:
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "operationId": operation,
        "version": version,
        "traceId": _TRACE,
        "errors": [],
    }


def _split(media: str, body: str) -> dict[str, str]:
    before, sign, behind = body.partition(_TRACE)
    return {"type": media, "a": before, **({"b": behind} if sign else {})}


def mappers() -> Iterator[ResponseMapper]:
    """The mappers that read those texts; they come before the usual ones, and pass over routes without any."""
    text = f"{ERRORS}['{SERVICE}']"
    media = [overwrite("content-type", f"%CEL({text}['type'])%"), *headers(text)]
    replaced = f"{_GUARD} && '{SERVICE}' in {ERRORS} && response.code_details == ''"
    yield ResponseMapper(filter=when(replaced), headers_to_add=media, body_format_override=KEPT)
    plain = []
    for reply in REPLIES:
        if reply.sent or reply.headers:
            yield from _mappers(f"'{reply.code}'", f"({reply.expression})", reply)
        else:
            plain.append(reply)
    yield from _mappers(_code(tuple(plain)))


def _mappers(code: str, condition: str = "true", reply: Reply | None = None) -> Iterator[ResponseMapper]:
    """With and without the trace id; `code` is CEL."""
    text = f"{ERRORS}[{code}]"
    first, second = f"%CEL({text}['a'])%", f"%CEL({text}['b'])%"
    there = f"{_GUARD} && {condition} && {code} in {ERRORS}"
    for expression, body in (
        (f"{there} && 'b' in {text}", f"{first}{trace.FORMAT}{second}"),
        (there, first),
    ):
        made = SubstitutionFormatString(text_format_source=DataSource(inline_string=body), content_type=PROBLEM)
        yield ResponseMapper(
            filter=when(expression),
            status_code=reply.status if reply is not None and reply.sent else None,
            headers_to_add=[overwrite("content-type", f"%CEL({text}['type'])%"), *(added(reply) if reply else ())],
            body_format_override=made,
        )


@cache
def _code(replies: tuple[Reply, ...]) -> str:
    """The code of an answer that Envoy is about to give, in CEL; none of ours where no row holds."""
    text = _by_status(replies, sorted({reply.status for reply in replies} - {ANY}))
    for reply in replies:
        text = f"({reply.expression} ? '{reply.code}' : {text})" if reply.status == ANY else text
    return text


def _by_status(replies: Sequence[Reply], statuses: Sequence[int]) -> str:
    """Halved, since CEL nests no deeper than 32."""
    if len(statuses) > 1:
        middle = len(statuses) // 2
        low, high = _by_status(replies, statuses[:middle]), _by_status(replies, statuses[middle:])
        return f"(response.code < {statuses[middle]} ? {low} : {high})"
    text = "''"
    for reply in reversed([reply for reply in replies if reply.status == statuses[0]]):
        text = f"({reply.particular} ? '{reply.code}' : {text})" if reply.particular else f"'{reply.code}'"
    return f"(response.code == {statuses[0]} ? {text} : '')"


def metadata(
    operation: Operation, version: str, ending: Mapping[str, str] = _NOTHING, beside: Mapping[str, str] = _NOTHING
) -> Mapping[str, object]:
    """The member of the route's metadata, if there is one. `ending` is what the refusal after a sunset names, `beside` what an
    answer in the place of the service's 5xx has beside its body."""
    found = texts(operation, version, ending)
    if SERVICE in found:
        found[SERVICE] = {**found[SERVICE], **beside}
    return {"errors": found} if found else {}
