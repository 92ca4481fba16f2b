"""The table of replies -> Envoy's own answers as problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLogFilter, ExtensionFilter
from envoy_data_plane.envoy.config.core.v3 import DataSource, HeaderValueOption, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel.v3 import ExpressionFilter
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    LocalReplyConfig,
    ResponseMapper,
)

from xds.envoy.codec import any_of
from xds.envoy.filters import mock, trace
from xds.envoy.names import METADATA
from xds.envoy.replies import REPLIES, Reply
from xds.envoy.typed import overwrite, struct

PROBLEM = "application/problem+json"

_COMPANION = "response.code_details == 'ext_authz_denied'"
_REDIRECTED = "response.code < 400"

KEPT = SubstitutionFormatString(text_format_source=DataSource(inline_string="%LOCAL_REPLY_BODY%"), content_type=PROBLEM)
"""Leaves the body as it is, and its media type if it has one."""


def local_replies(worded: Iterable[ResponseMapper] = ()) -> LocalReplyConfig:
    """The connection manager's configuration of its own answers; the companion's refusals keep their body.

    `worded` are mappers that come before the rows' own.
    """
    kept = (_COMPANION, mock.ANSWERED, _REDIRECTED)  # a redirect is no problem, and has no document
    passed = [ResponseMapper(filter=when(each), body_format_override=KEPT) for each in kept]
    return LocalReplyConfig(
        mappers=[*passed, *worded, *map(_mapper, REPLIES)], body_format=_document(REPLIES[-1], "%RESPONSE_CODE%")
    )


def _mapper(reply: Reply) -> ResponseMapper:
    return ResponseMapper(
        filter=when(reply.expression),
        status_code=reply.status if reply.sent else None,
        body_format_override=_document(reply, reply.status or "%RESPONSE_CODE%"),
        headers_to_add=added(reply),
    )


def added(reply: Reply) -> list[HeaderValueOption]:
    """The headers of a row's answers."""
    return [*_challenge(reply), *(overwrite(*header) for header in reply.headers)]


def _challenge(reply: Reply) -> list[HeaderValueOption]:
    """RFC 6750, section 3; jwt_authn sends its own with what it refuses."""
    return [overwrite("www-authenticate", 'Bearer error="invalid_token"')] if reply.status == 401 and reply.sent else []


def _document(reply: Reply, status: int | str) -> SubstitutionFormatString:
    document: dict[str, object] = {
        "type": "about:blank",
        "title": reply.title,
        "status": status,
        "code": reply.code,
        "detail": reply.detail,
        "operationId": f"%METADATA(ROUTE:{METADATA}:operation_id)%",
        "version": f"%METADATA(ROUTE:{METADATA}:version)%",
        "traceId": trace.FORMAT,
        "errors": [],
        **dict(reply.more),
    }
    return SubstitutionFormatString(json_format=struct(document), content_type=PROBLEM)


def when(expression: str) -> AccessLogFilter:
    """A mapper's condition, in CEL."""
    config = any_of(ExpressionFilter(expression=expression))
    return AccessLogFilter(
        extension_filter=ExtensionFilter(name="envoy.access_loggers.extension_filters.cel", typed_config=config)
    )
