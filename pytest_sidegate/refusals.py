"""Code -> the problem document by which the proxy itself refuses; its own table is `xds.envoy.replies`, and a test compares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_sidegate.routing import Unrouted
from sidecar import respond
from sidecar.message import Response
from xds.model import Gateway, Operation, Version
from xds.native.errors import declared_media, of_path, wording

REFUSALS: Mapping[str, tuple[int, str]] = {
    "bad-request": (
        400,
        "The request is not valid HTTP, or its path or host is not one that the gateway takes.",
    ),
    "headers-too-large": (431, "The request's headers are too many or too large."),
    "not-found": (404, "No operation has this path."),
    "method-not-allowed": (405, "The path has no operation with this method; Allow lists those it has."),
    "gone": (410, "The operation has been retired; `successor` is what to use instead."),
    "address-denied": (403, "Clients at this address may not ask."),
    "length-required": (411, "A body that streams must announce its length, since the operation limits it."),
    "body-too-large": (413, "The request body is larger than the operation's limit."),
    "token-missing": (401, "The operation needs a bearer token."),
    "token-expired": (401, "The token has expired."),
    "token-invalid": (401, "The token is not one that this operation takes."),
    "keys-unavailable": (503, "The keys that tokens are checked by cannot be had at the moment."),
    "credentials-missing": (401, "The operation needs credentials; WWW-Authenticate names them."),
    "credentials-invalid": (401, "The credentials are not ones that this operation takes."),
    "insufficient-scope": (403, "The token lacks a scope that the operation needs; WWW-Authenticate names it."),
    "companion-unavailable": (503, "The gateway cannot judge requests at the moment."),
}
"""Status and detail of each."""

UNFIT = "The token, or how it is sent, is not what this operation takes."
"""The detail of `token-invalid` where that is why."""


_NO_VERSION = "The request names no version of the service, or none that there is; `versions` lists how each is named"
UNKNOWN_VERSION = {400: f"{_NO_VERSION}.", 406: f"{_NO_VERSION}, in Accept."}
"""The details of `unknown-version`, by status."""


def unknown_version(status: int, versions: Iterable[str]) -> Response:
    """The refusal of a version that there is not; `versions` are how requests name those that there are."""
    detail = UNKNOWN_VERSION[status]
    answer = respond.problem(status, "unknown-version", detail, operation=None, version=None, trace_id=None)
    return _with(answer, {"versions": list(versions)})


def unrouted(found: Unrouted) -> Response:
    """The refusal of what is no operation's, in the words of its path, else of the document that it is below."""
    code = "not-found" if found.status == 404 else "method-not-allowed"
    answer = refusal(code, None, None, (("allow", ", ".join(found.allow)),) if found.allow else ())
    if found.operations:
        own = of_path(found.operations, code, found.status)
        return respond.in_words(answer, own[0], declared_media(own[1], found.status)) if own else answer
    said = wording(found.base.errors, code, found.status) if found.base else None
    return respond.in_words(answer, said, respond.PROBLEM) if said else answer


def gone(gateway: Gateway, version: Version, operation: Operation) -> Response:
    """The refusal after a sunset, with what is to be used instead."""
    from xds.envoy.profile import Profile
    from xds.envoy.routed import Routed
    from xds.envoy.successors import successor

    nowhere = ("127.0.0.1", 9)
    following = successor(Routed(version, operation, gateway, Profile(nowhere, nowhere)))
    sunset = operation.native.sunset
    named = {"sunset": sunset.text if sunset else None, "successor": following.shown if following else None}
    status, detail = REFUSALS["gone"]
    plain = respond.problem(status, "gone", detail, operation=operation.name, version=version.name, trace_id=None)
    return respond.worded(_with(plain, named), operation)


def _with(answer: Response, more: Mapping[str, Any]) -> Response:
    """A problem document with more members."""
    document = json.loads(answer.body)
    return Response(answer.status, answer.headers, json.dumps({**document, **more}).encode())


def refusal(
    code: str,
    operation: Operation | None,
    version: str | None,
    headers: Iterable[tuple[str, str]] = (),
    detail: str | None = None,
) -> Response:
    """The answer, in the operation's own words if its contract has some (`errors`)."""
    status, usual = REFUSALS[code]
    name = operation.name if operation else None
    answer = respond.problem(
        status, code, detail or usual, operation=name, version=version, trace_id=None, headers=headers
    )
    return respond.worded(answer, operation) if operation else answer
