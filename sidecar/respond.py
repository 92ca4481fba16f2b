"""Outcome -> Response: problem documents (RFC 9457) with every violation, and nothing of what is inside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from sidecar.message import Response, Violation
from xds.headers import CODE
from xds.model import Operation
from xds.native.errors import Wording, declared_media, wording
from xds.native.errors import worded as own_words

PROBLEM = "application/problem+json"
STATUSES = frozenset(map(int, HTTPStatus))


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    operation: str | None,
    trace_id: str | None,
    version: str | None = None,
    violations: Iterable[Violation] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """A problem document as a response. `code` is stable, `detail` for people; neither quotes the request."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase if status in STATUSES else "Refused",
        "status": status,
        "code": code,
        "detail": detail,
        "operationId": operation,
        "version": version,
        "traceId": trace_id,
        "errors": [entry(v) for v in violations],
    }
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return Response(status, (("content-type", PROBLEM), (CODE, code), *headers), body)


def worded(refusal: Response, operation: Operation) -> Response:
    """The refusal in the words of its operation, if the contract has some (`errors`); a policy's own body stays."""
    headers = dict(refusal.headers)
    if not operation.native.errors or headers.get("content-type") != PROBLEM:
        return refusal
    document = json.loads(refusal.body)
    own = wording(operation.native.errors, document["code"], refusal.status)
    return refusal if own is None else in_words(refusal, own, declared_media(operation, refusal.status))


def in_words(refusal: Response, own: Wording, declared: str) -> Response:
    """A problem document in a contract's words; `declared` is the media type that it declares for the status."""
    media, body = own_words(own, json.loads(refusal.body), declared)
    kept = tuple(header for header in refusal.headers if header[0] != "content-type")
    return Response(refusal.status, (("content-type", media), *kept), body.encode("utf-8", "backslashreplace"))


def entry(violation: Violation) -> Mapping[str, str]:
    """A violation as an item of `errors`."""
    return {
        "in": violation.location,
        "pointer": violation.pointer,
        "code": violation.code,
        "detail": violation.detail,
    }


def refusal_of(
    violations: tuple[Violation, ...], operation: str, trace_id: str | None, version: str | None = None
) -> Response:
    """The refusal for a request that breaks its contract: the first violation's code and status, and all of them listed."""
    first = violations[0]
    count = len(violations)
    detail = first.detail if count == 1 else f"{first.detail} (and {count - 1} more)"
    return problem(
        first.status, first.code, detail, violations=violations, operation=operation, trace_id=trace_id, version=version
    )


def scopes_missing(
    missing: Iterable[str], operation: str, trace_id: str | None, version: str | None = None
) -> Response:
    """The 403 for a good token that lacks a scope (RFC 6750, section 3.1)."""
    scope = " ".join(missing)
    challenge = ("www-authenticate", f'Bearer error="insufficient_scope", scope="{scope}"')
    return problem(
        403,
        "insufficient-scope",
        f"scope {scope} missing",
        headers=(challenge,),
        operation=operation,
        trace_id=trace_id,
        version=version,
    )


def token_missing(operation: str, trace_id: str | None, version: str | None = None) -> Response:
    """The 401 for a request without a token of any alternative (RFC 6750, section 3): the challenge names no error."""
    detail = "the operation needs a bearer token"
    challenge = ("www-authenticate", "Bearer")
    return problem(
        401, "token-missing", detail, headers=(challenge,), operation=operation, trace_id=trace_id, version=version
    )
