"""Profile, Operation -> ext_authz: ask the companion over HTTP whatever Envoy cannot judge, and fail closed."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HttpUri, RetryPolicy
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import (
    AuthorizationRequest,
    AuthorizationResponse,
    BufferSettings,
    CheckSettings,
    ExtAuthz,
    ExtAuthzPerRoute,
    HttpService,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode

from xds import headers
from xds.envoy.complement import all_but
from xds.envoy.names import COMPANION, METADATA
from xds.envoy.profile import Profile
from xds.envoy.routed import Routed
from xds.envoy.typed import any_name, seconds
from xds.model import Operation, Placement


def _route(key: str) -> str:
    return f"%METADATA(ROUTE:{METADATA}:{key})%"


NAME = f"{_route('service')}/{_route('version')}/{_route('operation')}"
"""An operation's name (`xds.envoy.names.route`), as a format."""
OPERATION = f"{_route('digest')} {NAME}"

PATH = "/check"
"""The path of the companion's check: Envoy puts it before the request's own path."""


def companion(profile: Profile) -> ExtAuthz:
    """The filter's configuration. Whatever goes wrong is a 503; a body over the limit is a 413, never cut off."""
    service = HttpService(
        server_uri=HttpUri(uri=profile.companion_url, cluster=COMPANION, timeout=seconds(profile.companion_timeout_s)),
        path_prefix=PATH,
        authorization_request=AuthorizationRequest(headers_to_add=_question()),
        authorization_response=_answer(),
        retry_policy=RetryPolicy(retry_on="connect-failure,refused-stream,reset-before-request", num_retries=1),
    )
    return ExtAuthz(
        http_service=service,
        failure_mode_allow=False,
        status_on_error=HttpStatus(code=StatusCode.ServiceUnavailable),
        validate_mutations=True,
        enforce_response_header_limits=True,
        allowed_headers=any_name(regexes=[".*"]),
        # The question is no WebSocket, whatever the request that is asked about wants to become.
        disallowed_headers=any_name(exact=("connection", "upgrade")),
        with_request_body=_buffer(profile.limits.body),
        stat_prefix="companion",
    )


def _question() -> list[HeaderValue]:
    """What the companion is told beside the request: which operation it is, and who asks."""
    told = {
        headers.OPERATION: OPERATION,
        headers.LENGTH: "%REQ(CONTENT-LENGTH)%",
        # X-Forwarded-For will not do: for a peer on loopback Envoy appends the host's own address to it.
        headers.CLIENT: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    }
    return [HeaderValue(key=name, value=value) for name, value in told.items()]


def _answer() -> AuthorizationResponse:
    """Which headers of the companion's answer go where."""
    own = (*headers.CONNECTION, "host")
    return AuthorizationResponse(
        allowed_upstream_headers=any_name(
            regexes=[all_but((*own, *headers.RESPONSE), (headers.PREFIX, "x-envoy-", ":", "access-control-"))]
        ),
        allowed_client_headers=any_name(
            regexes=[all_but((n for n in own if n != "content-type"), (headers.PREFIX, "x-envoy-", ":"))]
        ),
        allowed_client_headers_on_success=any_name(prefixes=(headers.DOWN, "access-control-"), exact=headers.RESPONSE),
        dynamic_metadata_from_headers=any_name(exact=(headers.CODE,)),
    )


def asked(operation: Operation) -> bool:
    """Whether anything of an operation is left to the companion, if only requests that are not plain."""
    return operation.plain is not None or any(check.placement is Placement.COMPANION for check in operation.checks)


def per_route(routed: Routed) -> ExtAuthzPerRoute | None:
    """How one operation's route differs from the filter: not asked at all, without the body, or with another limit."""
    operation, default = routed.operation, routed.profile.limits.body
    if not asked(operation):
        return ExtAuthzPerRoute(disabled=True)
    if routed.streamed:
        return ExtAuthzPerRoute(check_settings=CheckSettings(disable_request_body_buffering=True))
    limit = operation.body.limit if operation.body else operation.native.body_limit or default
    if limit == default:
        return None
    return ExtAuthzPerRoute(check_settings=CheckSettings(with_request_body=_buffer(limit)))


def _buffer(limit: int) -> BufferSettings:
    return BufferSettings(max_request_bytes=limit, allow_partial_message=False)
