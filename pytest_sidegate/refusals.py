"""Code -> the problem document by which the proxy itself refuses; its own table is `xds.envoy.replies`, and a test compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sidecar import respond
from sidecar.message import Response
from xds.model import Operation

REFUSALS: Mapping[str, tuple[int, str]] = {
    "bad-request": (
        400,
        "The request is not valid HTTP, or its path or host is not one that the gateway takes.",
    ),
    "headers-too-large": (431, "The request's headers are too many or too large."),
    "not-found": (404, "No operation has this path."),
    "method-not-allowed": (405, "The path has no operation with this method; Allow lists those it has."),
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


def refusal(
    code: str, operation: Operation | None, headers: Iterable[tuple[str, str]] = (), detail: str | None = None
) -> Response:
    """The answer, in the operation's own words if its contract has some (`errors`)."""
    status, usual = REFUSALS[code]
    name = operation.name if operation else None
    answer = respond.problem(status, code, detail or usual, operation=name, trace_id=None, headers=headers)
    return respond.worded(answer, operation) if operation else answer
