"""Routed -> rewrites of a RouteAction, or the RedirectAction that stands in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.config.route.v3 import RedirectAction, RedirectActionRedirectResponseCode
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute, RegexMatcher

from xds.envoy.filters.transcoder import transcoded
from xds.envoy.routed import Routed
from xds.envoy.templates import matrix_names, pattern_of
from xds.model import Name, Operation
from xds.native.targets import VARIABLE, Redirect

_STATUS = {
    301: RedirectActionRedirectResponseCode.MOVED_PERMANENTLY,
    302: RedirectActionRedirectResponseCode.FOUND,
    303: RedirectActionRedirectResponseCode.SEE_OTHER,
    307: RedirectActionRedirectResponseCode.TEMPORARY_REDIRECT,
    308: RedirectActionRedirectResponseCode.PERMANENT_REDIRECT,
}


def rewrites(routed: Routed) -> Mapping[str, Any]:
    """The fields that change path and host. The cluster stays: a host is only what the service reads. Of calls the path is
    changed before (`filters.rewritten`)."""
    rewrite = routed.operation.native.rewrite
    fields: dict[str, Any] = {}
    router = rewrite is not None and not transcoded(routed)
    if rewrite and rewrite.path and router:
        fields["regex_rewrite"] = _substitution(routed.operation, rewrite.path)
    if rewrite and rewrite.strip and router:
        fields["regex_rewrite"] = _regex(f"^{re.escape(rewrite.strip)}(/.*)$", r"\1")
    if rewrite and rewrite.host:
        fields["host_rewrite_literal"] = rewrite.host
    return fields


def redirect(routed: Routed) -> RedirectAction | None:
    """The answer of an operation that sends its clients elsewhere; the query goes with them."""
    wanted: Redirect | None = routed.operation.native.redirect
    if wanted is None:
        return None
    literal = not VARIABLE.search(wanted.path)
    return RedirectAction(
        scheme_redirect=wanted.scheme or None,
        host_redirect=wanted.host,
        port_redirect=wanted.port,
        path_redirect=wanted.path if literal else None,
        regex_rewrite=None if literal else _substitution(routed.operation, wanted.path),
        response_code=_STATUS[wanted.status],
    )


def _substitution(operation: Operation, template: str) -> RegexMatchAndSubstitute:
    """The operation's path -> a template in its variables."""
    segments = pattern_of(operation.path, matrix_names(operation)).segments
    numbers: dict[str, int] = {}
    parts = []
    for regex, segment in zip(segments, operation.path.segments, strict=True):
        held = [part.name for part in segment.parts if isinstance(part, Name)]
        if len(held) == 1 and len(segment.parts) == 1:
            numbers[held[0]] = len(numbers) + 1
            parts.append(f"/({regex})")
        else:
            parts.append(f"/(?:{regex})")
    text = VARIABLE.sub(lambda found: f"\\{numbers[found[1]]}", template)
    return _regex("^" + "".join(parts) + "$", text)


def _regex(pattern: str, substitution: str) -> RegexMatchAndSubstitute:
    return RegexMatchAndSubstitute(pattern=RegexMatcher(regex=pattern), substitution=substitution)
