"""The filter that makes gRPC of JSON requests and JSON of gRPC answers, where an upstream has a descriptor.

It changes the path behind everything that judges. What it cannot make a call of is refused: JSON never reaches a gRPC service.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from envoy_data_plane.envoy.extensions.filters.http.grpc_json_transcoder.v3 import (
    GrpcJsonTranscoder,
    GrpcJsonTranscoderRequestValidationOptions,
)
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.routed import Routed
from xds.native.caching import cache_of
from xds.native.streams import calls
from xds.native.traffic import Transcoding


def transcoder() -> GrpcJsonTranscoder:
    """The filter's configuration: without services it does nothing."""
    return GrpcJsonTranscoder(proto_descriptor_bin=b"")


def per_route(routed: Routed) -> Any | None:
    """The descriptor of the operation's upstream. What is kept is JSON: calls are made behind the cache."""
    return None if cache_of(routed.operation) else of_service(routed)


def of_service(routed: Routed) -> Any | None:
    """The same, wherever calls are made; operations that take gRPC itself pass as they are."""
    found = routed.version.upstream.traffic.transcoding
    if found is None or not transcoded(routed):
        return None
    body, limits = routed.operation.body, routed.profile.limits
    return _config(found, body.limit if body else limits.body, limits.body)


def transcoded(routed: Routed) -> bool:
    """Whether calls are made of an operation's requests."""
    return routed.version.upstream.traffic.transcoding is not None and not calls(routed.operation)


@lru_cache(maxsize=256)
def _config(found: Transcoding, request: int, answer: int) -> Any:
    config = GrpcJsonTranscoder(
        proto_descriptor_bin=base64.b64decode(found.descriptor),
        services=list(found.services),
        match_incoming_request_route=True,
        convert_grpc_status=True,
        request_validation_options=GrpcJsonTranscoderRequestValidationOptions(
            reject_unknown_method=True, reject_unknown_query_parameters=True, reject_binding_body_field_collisions=True
        ),
        max_request_body_size=request,
        max_response_body_size=answer,
    )
    return shared(any_of(config))
