"""Envoy's HTTP ext_authz request <-> message.py, as an ASGI application.

Envoy asks with the request's own method, `/check` before its path, its headers and its whole body; 200 forwards the
request, any other status below 500 is the client's answer, and 5xx or no answer at all makes Envoy refuse with 503
(Envoy, HTTP ext_authz filter, `http_service`).
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from sidecar.message import Request, Response
from sidecar.pipeline import Caller, Outcome, Route, judge
from sidecar.plan import UnknownDigest
from sidecar.record import Records
from sidecar.reload import Current
from xds import headers as names
from xds.telemetry import Traces

PREFIX = b"/check"
ROUTE, LENGTH, CLIENT = (name.encode() for name in (names.OPERATION, names.LENGTH, names.CLIENT))
CONSUMER, AUTH = names.CONSUMER.encode(), names.AUTH.encode()
PEER = tuple(name.encode() for name in names.PEER)
CLAIMS, INTERNAL = names.CLAIMS.encode(), names.PREFIX.encode()
BODY_LIMIT = 11 * 1024 * 1024
"""Above every limit that Envoy enforces; a body past it did not come from a route of ours."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("sidegate.companion")


class Check:
    """The ASGI application that Envoy asks. `current` gives the plan and the engine of this moment."""

    def __init__(self, current: Current, records: Records, traces: Traces) -> None:
        self.current, self.records, self.traces = current, records, traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = await self._answer(scope, receive)
        except UnknownDigest as unknown:
            log.warning("refused: no such digest here: %s", unknown)
            response = Response(503, ((names.CODE, "digest-unknown"),))
        except Exception:
            log.exception("refused: judging failed")
            response = Response(500, ((names.CODE, "internal"),))
        headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in response.headers]
        headers.append((b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        body = await _body(receive)
        if body is None:
            return Response(413)
        request, route, caller = _read(scope, body)
        trace = self.traces.begin(request.header("traceparent"))
        plan, engine = self.current.plan, self.current.engine
        outcome = await judge(plan, engine, request, route, caller, trace, self.records, self.current.log)
        if outcome.refusal is None:
            return forward(outcome)
        if outcome.refusal.status < 300:
            raise ValueError("a refusal would be taken for a yes")
        return outcome.refusal


def forward(outcome: Outcome) -> Response:
    """The 200 that lets a request through: headers for the upstream, names to take off, and what `report` recorded."""
    headers = list(outcome.headers.items())
    for name, value in outcome.response_headers.items():
        headers.append((name if name in names.RESPONSE else names.DOWN + name, value))
    if outcome.remove:
        headers.append(("x-envoy-auth-headers-to-remove", ",".join(outcome.remove)))
    if outcome.code:
        headers.append((names.CODE, outcome.code))
    return Response(200, tuple(headers))


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None if it is too large. Raises if the connection ends before the body does."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        return whole
    chunks, size = [], 0
    while True:
        if message["type"] != "http.request":
            raise ConnectionResetError("the request ended before its body did")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_LIMIT:
            return None
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()


def _read(scope: Scope, body: bytes) -> tuple[Request, Route, Caller]:
    raw: bytes = scope["raw_path"]
    if not raw.startswith(PREFIX + b"/"):
        raise UnknownDigest("not a check")
    route, address, length, claims, headers = None, None, "", {}, []
    consumer: str | None = None
    auth: str | None = None
    shown: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if not name.startswith(INTERNAL):
            headers.append((name.decode("latin-1"), value.decode("latin-1")))
        elif name == ROUTE:
            route = value.decode("latin-1")
        elif name == LENGTH:
            length = value.decode("latin-1")
        elif name == CLIENT:
            address = value.decode("latin-1")
        elif name == CONSUMER:
            consumer = value.decode("latin-1")
        elif name == AUTH:
            auth = value.decode("latin-1")
        elif name in PEER:
            shown[name] = value.decode("latin-1")
        elif name.startswith(CLAIMS):
            claims[_scheme(name)] = claims_of(value)
    if not body:  # a body that is not shown here may still come
        headers = [header for header in headers if header[0] != "content-length"]
        headers += [("content-length", length)] if length else []
    # ASGI has the query without its question mark, and no way to tell `/a?` from `/a`: both hold no parameter.
    query = scope["query_string"].decode("latin-1") or None
    request = Request(scope["method"], raw[len(PREFIX) :].decode("latin-1"), query, tuple(headers), body)
    return request, Route.read(route), Caller(claims, address, consumer, auth, _peer(shown))


def _peer(shown: Mapping[bytes, str]) -> dict[str, Any] | None:
    """What the proxy read in the client's certificate, where there was one."""
    if not shown:
        return None
    subject, uris, dns, fingerprint = (shown.get(name, "") for name in PEER)
    return {
        "subject": subject,
        "uris": uris.split(",") if uris else [],
        "dns": dns.split(",") if dns else [],
        "fingerprint": fingerprint,
    }


@lru_cache(maxsize=256)
def _scheme(header: bytes) -> str:
    return names.scheme_of(header.decode("latin-1"))


@lru_cache(maxsize=4096)
def claims_of(payload: bytes) -> dict[str, Any]:
    """The claims in a payload that Envoy's jwt_authn verified and passed on in base64url. Raises ValueError."""
    claims = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("claims are not an object")
    return claims
