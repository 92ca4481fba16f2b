"""Envoy's compressors, one a coding: each takes the answers whose client prefers it. Types and length are the filter's."""

from __future__ import annotations

from collections.abc import Callable

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.extensions.compression.brotli.compressor.v3 import Brotli
from envoy_data_plane.envoy.extensions.compression.gzip.compressor.v3 import Gzip
from envoy_data_plane.envoy.extensions.compression.zstd.compressor.v3 import Zstd
from envoy_data_plane.envoy.extensions.filters.http.compressor.v3 import (
    Compressor,
    CompressorCommonDirectionConfig,
    CompressorResponseDirectionConfig,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy import names
from xds.envoy.filters.http_filter import Row, switched_on
from xds.envoy.routed import Routed
from xds.envoy.typed import typed
from xds.native.compression import compressed

LEAST = 1024
"""Bytes; below, headers outweigh what is saved."""

TYPES = (
    "application/javascript",
    "application/json",
    "application/problem+json",
    "application/xml",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
    "text/xml",
)

_LIBRARIES: tuple[tuple[str, str, Callable[[], Message]], ...] = (
    # a filter's name, its library's, the library; the first is preferred where the client has no preference
    (names.ZSTD_FILTER, "zstd", Zstd),
    (names.BROTLI_FILTER, "brotli", lambda: Brotli(quality=4)),
    (names.GZIP_FILTER, "gzip", Gzip),
)


def _compressor(library: TypedExtensionConfig, *, preferred: bool, last: bool) -> Compressor:
    """A strong `ETag` is of other bytes than those that are sent: it is weakened (RFC 9110, section 8.8.3.3)."""
    common = CompressorCommonDirectionConfig(min_content_length=LEAST, content_type=list(TYPES))
    answers = CompressorResponseDirectionConfig(
        common_config=common,
        weaken_etag_on_compress=True,
        remove_accept_encoding_header=last,
        uncompressible_response_codes=[206],
    )
    return Compressor(compressor_library=library, response_direction_config=answers, choose_first=preferred)


def per_route(routed: Routed) -> Any | None:
    """The filters run for operations that ask for them."""
    return switched_on() if compressed(routed.operation) else None


def _row(number: int) -> Row:
    name, library, make = _LIBRARIES[number]
    first, last = number == 0, number == len(_LIBRARIES) - 1
    return Row(
        name,
        lambda gateway, profile: _compressor(typed(library, make()), preferred=first, last=last),
        per_route,
        off=True,
    )


ROWS = tuple(_row(number) for number in range(len(_LIBRARIES)))
