"""Profile -> HTTP connection manager: the hardened profile, always.

What stands here is in the listener: changing it drains connections. What changes with contracts and keys is in the route
configuration and in filters that discovery delivers.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    CidrRange,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    Http3ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
    QuicProtocolOptions,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerCodecType,
    HttpConnectionManagerForwardClientCertDetails,
    HttpConnectionManagerInternalAddressConfig,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpFilter,
    Rds,
)
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds import headers
from xds.envoy import names, plain
from xds.envoy.access_log import access_log
from xds.envoy.discovery import by_ads
from xds.envoy.local_replies import local_replies
from xds.envoy.profile import Profile
from xds.envoy.tracing import tracing
from xds.envoy.typed import overwrite, seconds, typed
from xds.envoy.wordings import mappers
from xds.hardened import ADDRESSES, MISLEADING

SERVER = "sidegate"

FORGED = ("x-envoy-", headers.PREFIX)
"""Families of headers that only the proxy may write."""


def connection_manager(
    profile: Profile, http_filters: list[HttpFilter], routes: str = names.ROUTES, *, http3: bool = False
) -> HttpConnectionManager:
    """The whole HTTP side of a listener, with its filters and the name of its route configuration."""
    limits = profile.limits
    return HttpConnectionManager(
        codec_type=HttpConnectionManagerCodecType.HTTP3 if http3 else HttpConnectionManagerCodecType.AUTO,
        stat_prefix=names.LISTENER,
        rds=Rds(route_config_name=routes, config_source=by_ads()),
        http_filters=http_filters,
        tracing=tracing(profile),
        common_http_protocol_options=_common(profile),
        http_protocol_options=Http1ProtocolOptions(allow_chunked_length=False),
        http2_protocol_options=_http2(profile),
        http3_protocol_options=_http3(profile) if http3 else None,
        server_name=SERVER,
        max_request_headers_kb=limits.headers_kib,
        stream_idle_timeout=seconds(limits.idle_s),
        request_timeout=seconds(limits.request_s),
        request_headers_timeout=seconds(limits.headers_s),
        access_log=access_log(profile),
        use_remote_address=True,
        xff_num_trusted_hops=profile.trusted_hops,
        # RFC 6666's discard prefix: no peer is internal. An empty list would mean every private address and loopback.
        internal_address_config=HttpConnectionManagerInternalAddressConfig(
            cidr_ranges=[CidrRange(address_prefix="100::", prefix_len=64)]
        ),
        early_header_mutation_extensions=[_early(profile)],
        forward_client_cert_details=HttpConnectionManagerForwardClientCertDetails.SANITIZE,
        generate_request_id=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        local_reply_config=local_replies(mappers()),
    )


def _common(profile: Profile) -> HttpProtocolOptions:
    return HttpProtocolOptions(
        idle_timeout=seconds(profile.limits.connection_idle_s),
        max_headers_count=profile.limits.headers,
        headers_with_underscores_action=HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
    )


def _http2(profile: Profile) -> Http2ProtocolOptions:
    limits = profile.limits
    return Http2ProtocolOptions(
        max_concurrent_streams=limits.streams,
        initial_stream_window_size=limits.stream_window,
        initial_connection_window_size=limits.connection_window,
        override_stream_error_on_invalid_http_message=True,
    )


def quic(profile: Profile) -> QuicProtocolOptions:
    """The limits of a QUIC connection: those of HTTP/2."""
    limits = profile.limits
    return QuicProtocolOptions(
        max_concurrent_streams=limits.streams,
        initial_stream_window_size=limits.stream_window,
        initial_connection_window_size=limits.connection_window,
    )


def _http3(profile: Profile) -> Http3ProtocolOptions:
    return Http3ProtocolOptions(quic_protocol_options=quic(profile), override_stream_error_on_invalid_http_message=True)


def _early(profile: Profile) -> TypedExtensionConfig:
    """Takes off what no client may say, before the route is chosen and before any filter sees the request."""
    misleading = MISLEADING if profile.trusted_hops else (*MISLEADING, *ADDRESSES)
    families = (HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=prefix)) for prefix in FORGED)
    mutations = [HeaderMutation(remove_on_match=family) for family in families]
    mutations += [HeaderMutation(remove=name) for name in misleading]
    mutations += [HeaderMutation(append=plain.told()), *_sound_trace_context(exported=profile.otlp is not None)]
    return typed("envoy.http.early_header_mutation.header_mutation", EarlyHeaderMutation(mutations=mutations))


SOUND = f"{headers.PREFIX}sound"


def _sound_trace_context(exported: bool) -> list[HeaderMutation]:
    """Take off trace headers that are none (W3C Trace Context, sections 3.2 and 3.3).

    Of a broken `traceparent` Envoy would make no trace at all. A `tracestate` or `x-client-trace-id` that is not printable
    would be a span that is not UTF-8, for which a collector refuses the spans of everybody in the batch. What nobody
    exports is passed on as it came: looking at it takes Envoy 10,000 instructions a request.
    """
    parent, state = "request.headers['traceparent']", "request.headers['tracestate']"
    there = "'{}' in request.headers".format  # reading one that is not there makes an error, which costs more
    # Counted repetition would exceed CEL's limit on the size of a regex.
    form = f"{parent}.size() == 55 && {parent}.matches('^00-[0-9a-f]+-[0-9a-f]+-[0-9a-f][0-9a-f]$')"
    return [
        HeaderMutation(remove="x-client-trace-id"),
        *_only_if("traceparent", f"{there('traceparent')} && {form} && !{parent}.matches('-0+-')"),
        *(_only_if("tracestate", f"{there('tracestate')} && {state}.matches('^[ -~]+$')") if exported else ()),
    ]


def _only_if(name: str, condition: str) -> list[HeaderMutation]:
    """Keep a header that meets a condition in CEL, and no other of its name."""
    return [
        HeaderMutation(append=overwrite(SOUND, f"%CEL({condition} ? request.headers['{name}'] : '')%")),
        HeaderMutation(remove=name),
        HeaderMutation(append=overwrite(name, f"%REQ({SOUND})%")),
        HeaderMutation(remove=SOUND),
    ]
