"""Patch: a named change to a resource that was made for Envoy; what it touches, and whether a check is weaker for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from xds.native.feature import Problem
from xds.place import Place

TYPES = {
    "cluster": "envoy.config.cluster.v3.Cluster",
    "route": "envoy.config.route.v3.Route",
    "listener": "envoy.config.listener.v3.Listener",
    "connection-manager": ("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
}
"""The resources that a patch may change, and their types. Single filters are changed by the routes or not at all."""


@dataclass(frozen=True, slots=True)
class Patch:
    """`match` is a resource's name, or a pattern of names with `*`; `merge` is JSON text; `accept` is why a check may be
    weaker for it, empty if nothing was said."""

    name: str
    resource: str
    match: str
    merge: str
    accept: str = ""
    place: Place = Place("")

    def touches(self, resource: str, name: str) -> bool:
        return resource == self.resource and fnmatchcase(name, self.match)


BYPASSES = {
    "cluster": (),
    "route": (
        (r"/(match|direct_response|redirect|filter_action|non_forwarding_action)\b", "requests meet another route"),
        (r"/(typed_per_filter_config|metadata)\b", "filters judge by it"),
        (r"/route/(cluster|weighted_clusters|cluster_header|cluster_specifier_plugin)", "they go somewhere else"),
        (r"/(request_headers_to_add|request_headers_to_remove)\b", "internal headers must not reach the service"),
        (r"/route/upgrade_configs\b", "nobody judges what is said once protocols were changed"),
        (r"/route/internal_redirect_policy\b", "the service says what is asked for next, in the client's name"),
    ),
    "listener": ((r"/(filter_chains|default_filter_chain|listener_filters|use_original_dst)\b", "the chain judges"),),
    "connection-manager": (
        (r"/(http_filters|rds|route_config|scoped_routes|upgrade_configs)\b", "the chain judges"),
        (r"/(early_header_mutation_extensions|original_ip_detection_extensions)\b", "clients could forge headers"),
        (r"/(normalize_path|merge_slashes|path_with_escaped_slashes_action|strip_.*)\b", "paths would be ambiguous"),
        (r"/(use_remote_address|xff_num_trusted_hops|internal_address_config|skip_xff_append)\b", "clients could lie"),
        (r"/common_http_protocol_options/headers_with_underscores_action\b", "header names would be ambiguous"),
        (r"/http_protocol_options\b", "messages could be read in two ways"),
    ),
}
"""By resource: what leads around authentication or validation. A build fails unless the patch says why it may."""

WEAKENS = {
    "cluster": (
        (r"/(transport_socket|transport_socket_matches)\b", "the service may no longer be who it says"),
        (r"/(load_assignment|type|eds_cluster_config|cluster_type)\b", "requests go somewhere else"),
        (r"/outlier_detection\b", "a broken endpoint is asked on"),
    ),
    "route": (
        (r"/(response_headers_to_remove|decorator|tracing)\b", "what is recorded or told changes"),
        (r"/route/(\w*rewrite\w*)\b", "the service is asked for something else than what was judged"),
        (r"/route/request_mirror_policies\b", "requests go somewhere else too"),
        (r"/route/(retry_policy\w*|hedge_policy)\b", "the service may be asked twice, whatever the method"),
    ),
    "listener": ((r"/(address|connection_balance_config|ignore_global_conn_limit)\b", "it is reached otherwise"),),
    "connection-manager": (
        (r"/(max_request_headers_kb|common_http_protocol_options|http2_protocol_options)\b", "limits change"),
        (
            r"/(local_reply_config|access_log|tracing|generate_request_id|forward_client_cert_details)\b",
            "it is told less",
        ),
    ),
}
"""What leaves a check weaker; so does every time limit that is taken off."""


_NAMED = "a resource's name is what others know it by: nothing could be published"


def problems(patch: Patch) -> Iterator[Problem]:
    """What a patch does to the type it says, and to what is checked. The pointers are those in `merge`."""
    from xds.protos import Mismatch, merged, message_type

    merge = json.loads(patch.merge)
    try:
        merged(message_type(TYPES[patch.resource])(), merge)
    except Mismatch as found:
        yield Problem(f"{patch.name}: {found.message}", found.pointer, found.help, "patch-invalid")
        return
    if "name" in merge:
        yield Problem(f"{patch.name}: {_NAMED}", "/name", "leave `name` out of `merge`", "patch-invalid")
    for pointer, value in _leaves(merge, ""):
        yield from _weaker(patch, pointer, value)


def _leaves(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{at}/{key}")
    else:
        yield at, value


def _weaker(patch: Patch, pointer: str, value: Any) -> Iterator[Problem]:
    around = _why(BYPASSES[patch.resource], pointer)
    weaker = _why(WEAKENS[patch.resource], pointer)
    if weaker is None and "timeout" in pointer and value in (None, "0s", "0"):
        weaker = "without a time limit a slow peer holds memory"
    if around is not None and not patch.accept:
        help_ = "if it is meant, the patch says why: `accept: ...`"
        yield Problem(f"{patch.name} leads around what is checked: {around}", pointer, help_, "patch-bypasses")
    elif around is not None or weaker is not None:
        accepted = f" (accepted: {patch.accept})" if patch.accept else ""
        yield Problem(f"{patch.name} weakens a check: {around or weaker}{accepted}", pointer, None, "patch-weakens")


def _why(rows: Iterable[tuple[str, str]], pointer: str) -> str | None:
    return next((why for pattern, why in rows if re.match(pattern, pointer)), None)
