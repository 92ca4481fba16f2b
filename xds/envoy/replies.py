"""The answers that Envoy gives itself: the table of their codes, and what tells them apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus

from xds import headers
from xds.envoy.counted import shared_name
from xds.envoy.filters import verdict, verified
from xds.envoy.filters.addresses import POLICY as ADDRESSES
from xds.envoy.filters.listening import POLICY as MISDIRECTED
from xds.envoy.filters.retired import POLICY as RETIRED
from xds.envoy.names import METADATA
from xds.native.versions import VERSIONS

ANY = 0
"""The status of a row that holds for all of them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of Envoy's own.

    `status` is what the client gets. The row holds for the replies that Envoy means to send with status `sent` (by
    default the same) and whose response code details (Envoy, "Response code details") start with one of `details`; no
    details means all of them. The first row that holds is taken. `more` are members of the document beside those that
    all have, `headers` those of the answer, both as formats. `also` is one more condition beside the details, in CEL.
    """

    code: str
    status: int
    detail: str
    details: tuple[str, ...] = ()
    sent: int | None = None
    more: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    also: str = ""

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase if self.status != ANY else "Injected Fault"

    @property
    def expression(self) -> str:
        """The row's condition in CEL, over Envoy's attributes."""
        status = f"response.code == {self.sent or self.status}"
        if not self.particular:
            return status
        return f"{status} && ({self.particular})" if self.status != ANY else self.particular

    @property
    def particular(self) -> str:
        """The condition without the status; empty if that is all."""
        starts = " || ".join(f"response.code_details.startsWith('{start}')" for start in self.details)
        return f"({starts}) && {self.also}" if self.also else starts


DIRECT = ("direct_response",)
_UNVERSIONED = "The request names no version of the service, or none that there is; `versions` lists how each is named"
LIMITED = ("local_rate_limited",)


KEYS = Reply(
    "keys-unavailable",
    503,
    "The keys that tokens are checked by cannot be had at the moment.",
    ("jwt_authn_access_denied{Jwks_remote_fetch_is_failed",),
    sent=401,
)


def _auth() -> Iterator[Reply]:
    """What the auth filter found, as the verdict filter tells it."""
    for code, status, detail in (
        ("token-missing", 401, "The operation needs a bearer token."),
        ("token-expired", 401, "The token has expired."),
        ("token-invalid", 401, "The token is not one that this operation takes."),
        ("credentials-missing", 401, "The operation needs credentials; WWW-Authenticate names them."),
        ("credentials-invalid", 401, "The credentials are not ones that this operation takes."),
        ("insufficient-scope", 403, "The token lacks a scope that the operation needs; WWW-Authenticate names it."),
    ):
        details = (f"rbac_access_denied_matched_policy[auth-{code}]",)
        yield Reply(code, status, detail, details, sent=403, headers=(("www-authenticate", verdict.CHALLENGE),))
    yield replace(KEYS, details=("rbac_access_denied_matched_policy[auth-keys-unavailable]",), sent=403)
    yield Reply(
        "internal", 500, "The gateway failed.", (f"rbac_access_denied_matched_policy[{verdict.UNJUDGED}]",), sent=403
    )


_RESET = "upstream_reset_before_response_started"

REPLIES: tuple[Reply, ...] = (
    Reply(
        "fault-injected", ANY, "The gateway refuses on purpose, to see what its client does.", ("fault_filter_abort",)
    ),
    Reply(
        "address-denied",
        403,
        "Clients at this address may not ask.",
        (f"rbac_access_denied_matched_policy[{ADDRESSES}]",),
    ),
    Reply(
        "gone",
        410,
        "The operation has been retired; `successor` is what to use instead.",
        (f"rbac_access_denied_matched_policy[{RETIRED}]",),
        sent=403,
        more=tuple((name, f"%METADATA(ROUTE:{METADATA}:{name})%") for name in ("sunset", "successor")),
    ),
    Reply("not-found", 404, "No operation has this path."),
    Reply("method-not-allowed", 405, "The path has no operation with this method; Allow lists those it has."),
    *_auth(),
    Reply("token-missing", 401, "The operation needs a bearer token.", ("jwt_authn_access_denied{Jwt_is_missing",)),
    Reply(
        "token-missing",
        401,
        "The operation needs a bearer token, or a login in a browser.",
        ("Unauthorized, and redirecting", "Unauthorized,_and_redirecting"),  # as CEL has it, and as the access log does
        headers=(("www-authenticate", "Bearer"),),
    ),
    KEYS,
    Reply("token-expired", 401, "The token has expired.", ("jwt_authn_access_denied{Jwt_is_expired",)),
    Reply("token-invalid", 401, "The token is not one that this operation takes."),
    Reply(
        "token-invalid",
        401,
        "The token, or how it is sent, is not what this operation takes.",
        (f"rbac_access_denied_matched_policy[{verified.POLICY}",),  # its whole name is in the access log
        sent=403,
    ),
    Reply(
        "token-invalid",
        401,
        "The token is not one that this operation takes.",
        ("jwt_authn_access_denied{Audiences",),
        sent=403,
    ),
    Reply("internal", 500, "The gateway failed.", ("jwt_authn_access_denied{",), sent=403),
    Reply(
        "misdirected",
        421,
        "The host is not one that is served here, or not one that the certificate shown is for.",
        (f"rbac_access_denied_matched_policy[{MISDIRECTED}]",),
        sent=403,
    ),
    Reply("upgrade-refused", 403, "The gateway does not change protocols.", ("upgrade_failed",)),
    Reply("limits-unavailable", 503, "The gateway cannot count requests at the moment.", ("rate_limiter_error",)),
    Reply("companion-unavailable", 503, "The gateway cannot judge requests at the moment.", ("ext_authz_error",)),
    Reply(
        "overloaded",
        503,
        "The gateway takes no more requests at the moment.",
        ("overload", "denied_by_admission_control", f"{_RESET}{{overflow"),
        headers=(("retry-after", "1"),),
    ),
    Reply(
        "upstream-unavailable",
        503,
        "The service cannot be reached.",
        ("no_healthy_upstream", "cluster_not_found", f"{_RESET}{{connection_failure", f"{_RESET}{{remote_connection"),
    ),
    Reply("upstream-failed", 502, "The service broke off before it answered.", (_RESET, "upstream_reset"), sent=503),
    Reply("upstream-failed", 502, "The service's answer is not valid HTTP."),
    Reply("upstream-unavailable", 503, "The service cannot be reached."),
    Reply("upstream-timeout", 504, "The service did not answer in time."),
    Reply(
        "unknown-version",
        400,
        f"{_UNVERSIONED}.",
        DIRECT,
        more=((VERSIONS, f"%METADATA(ROUTE:{METADATA}:{VERSIONS})%"),),
        also=f"'{METADATA}' in xds.route_metadata.filter_metadata"
        f" && '{VERSIONS}' in xds.route_metadata.filter_metadata['{METADATA}']",
    ),
    Reply(
        "unknown-version",
        406,
        f"{_UNVERSIONED}, in Accept.",
        DIRECT,
        more=((VERSIONS, f"%METADATA(ROUTE:{METADATA}:{VERSIONS})%"),),
    ),
    Reply("bad-request", 400, "The request is not valid HTTP, or its path or host is not one that the gateway takes."),
    Reply("request-timeout", 408, "The request did not arrive in time."),
    Reply("length-required", 411, "A body that streams must announce its length, since the operation limits it."),
    Reply("body-too-large", 413, "The request body is larger than the operation's limit."),
    Reply("upgrade-required", 426, "The gateway speaks HTTP/1.1 and HTTP/2."),
    Reply("headers-too-large", 431, "The request's headers are too many or too large."),
    Reply(
        "rate-limited",
        429,
        "A limit has no room for the request; Retry-After says when it may have.",
        LIMITED,
        more=(("limit", f"%REQ({headers.LIMIT})%"),),
        headers=(("retry-after", f"%REQ({headers.LIMIT}-wait)%"),),
    ),
    Reply(
        "rate-limited",
        429,
        "A limit has no room for the request; Retry-After says when it may have.",
        ("request_rate_limited",),
        more=(("limit", f"%CEL({shared_name()})%"),),
        headers=(("retry-after", "%RESP(X-RATELIMIT-RESET)%"),),
    ),
    Reply("forbidden", 403, "The request is refused."),
    Reply("not-implemented", 501, "The request uses something of HTTP that the gateway does not."),
    Reply("internal", 500, "The gateway failed."),
)
"""The published rows, and the order in which they are tried."""


def code_of(status: int, details: str) -> str:
    """The code of a reply that Envoy made itself, by the status that a client got and its response code details."""
    for reply in REPLIES:
        if reply.also or reply.status not in (ANY, status):
            continue
        if not reply.details or details.startswith(reply.details):
            return reply.code
    return REPLIES[-1].code
