"""serialised resource -> what it refers to, by type URL and name.

The walk reads the wire format with the field numbers of envoy-data-plane's classes, so it sees the bytes that are sent,
also inside every `Any`, however they were built. The table holds the places where Envoy's messages name another resource.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from xds.snapshot.types import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, PREFIX, ROUTES, SECRET
from xds.snapshot.wire import BYTES, WireError, blob, fields, text

if TYPE_CHECKING:
    from xds.envoy.composed import Parts, Token

Reference = tuple[str, str]
"""Type URL and name."""

_CLUSTER_FIELDS: dict[str, tuple[str, ...]] = {
    "envoy.config.core.v3.ApiConfigSource": ("cluster_names",),
    "envoy.config.core.v3.GrpcService.EnvoyGrpc": ("cluster_name",),
    "envoy.config.core.v3.HttpUri": ("cluster",),  # HTTP services of filters and tracers, and remote key sets
    "envoy.config.route.v3.RouteAction": ("cluster",),
    "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": ("cluster",),
    "envoy.config.route.v3.WeightedCluster.ClusterWeight": ("name",),
    "envoy.config.metrics.v3.StatsdSink": ("tcp_cluster_name",),
    "envoy.config.trace.v3.DatadogConfig": ("collector_cluster",),
    "envoy.config.trace.v3.ZipkinConfig": ("collector_cluster",),
    "envoy.extensions.access_loggers.fluentd.v3.FluentdAccessLogConfig": ("cluster",),
    "envoy.extensions.clusters.aggregate.v3.ClusterConfig": ("clusters",),
    "envoy.extensions.filters.http.cache_v2.v3.CacheV2Config": ("override_upstream_cluster",),
    "envoy.extensions.filters.http.gcp_authn.v3.GcpAuthnFilterConfig": ("cluster",),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": ("cluster",),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": ("name",),
    "envoy.extensions.router.cluster_specifiers.lua.v3.LuaConfig": ("default_cluster",),
    "envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction": ("cluster",),
}

_ALIKE = frozenset(
    (
        "google.protobuf.Any",
        "envoy.config.route.v3.DirectResponseAction",
        "envoy.config.route.v3.RouteAction",
        "envoy.config.route.v3.RouteMatch",
    )
)
_SMALL = 512
"""Larger messages (bytes) are hardly ever equal, and would fill the memory."""

_BRANCH = "xds.type.matcher.v3.Matcher.OnMatch"
_DIGEST = re.compile(rb"\n\x06digest\x12\x12\x1a\x10[0-9a-f]{16}")
"""The digest in a route's metadata (a member of a Struct, and its string), which `xds.envoy.routes` writes."""
_NONE = b"0" * 16
_BLANK = b"\n\x06digest\x12\x12\x1a\x10" + _NONE
_BRANCHES = 20_000
_Parts = tuple[tuple["Reference", ...], tuple[str, ...]]
_branches: dict[bytes, _Parts] = {}
_parts: dict[_Parts, _Parts] = {}
"""What branches of matchers refer to: by their content, and once each."""

_LEAVES = (
    *("google.protobuf.", "envoy.type.", "validate.", "udpa."),
    "envoy.config.core.v3.Metadata",
    "xds.type.matcher.v3.Matcher.MatcherList.Predicate",  # what a request is compared with
)
"""Packages and messages that name no resource."""


@dataclass(slots=True)
class Found:
    """What a walk met: references, and type URLs whose messages it could not look into."""

    references: dict[Reference, None] = field(default_factory=dict)
    opaque: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How to read one message: `direct` fields hold cluster names; `nested` hold messages; `entries` maps of them.

    `alike`: a resource holds many of these messages, and most of them are equal.
    """

    name: str
    numbers: dict[str, int]
    direct: frozenset[int]
    nested: dict[int, _Class]
    entries: dict[int, _Class]
    alike: bool


_Class = Any  # a generated class of envoy-data-plane; its metadata is not typed


def _pool() -> Any:
    from envoy_data_plane.message_pool import default_message_pool  # a third of a second: only for those who compile

    return default_message_pool


@cache
def _layout(cls: _Class) -> _Layout:
    meta = cls._betterproto
    name = _pool().type_to_url.get(cls, "").removeprefix(PREFIX)
    numbers = {n: m.number for n, m in meta.meta_by_field_name.items()}
    nested = {n: inner for n, inner, entry in _inner(cls) if not entry and _worth(inner)}
    entries = {n: inner for n, inner, entry in _inner(cls) if entry and _worth(inner)}
    direct = frozenset(numbers[f] for f in _CLUSTER_FIELDS.get(name, ()))
    return _Layout(name, numbers, direct, nested, entries, name in _ALIKE)


def _inner(cls: _Class) -> Iterator[tuple[int, _Class, bool]]:
    """Number, class and whether it is a map's, of each field of a message that holds messages."""
    meta = cls._betterproto
    for key, m in meta.meta_by_field_name.items():
        if m.proto_type == "message" and m.unwrap is None:
            yield m.number, meta.cls_by_field[key], False
        elif m.map_meta and m.map_meta[1].proto_type == "message":
            yield m.number, meta.cls_by_field[key + ".value"], True


@cache
def _worth(cls: _Class) -> bool:
    """Whether messages of the class can hold a reference, however deep."""
    todo, seen = [cls], {cls}
    while todo:
        each = todo.pop()
        name = _pool().type_to_url.get(each, "").removeprefix(PREFIX)
        if name == "google.protobuf.Any" or name in _CLUSTER_FIELDS or name in _SPECIAL:
            return True
        if not name.startswith(_LEAVES):
            new = {inner for _, inner, _ in _inner(each)} - seen
            seen |= new
            todo += new
    return False


def references(type_url: str, body: bytes) -> Found:
    """Everything that a serialised resource refers to, in the order met. Raises WireError if it is no message."""
    found = Found()
    _walk_any(type_url, body, found)
    return found


_of_parts: WeakKeyDictionary[Token, _Parts] = WeakKeyDictionary()


def references_of_parts(type_url: str, parts: Parts) -> Found:
    """What `references` finds in the same message, perhaps in another order: each part is walked once in its life."""
    found = references(type_url, parts.around)
    met: dict[_Parts, None] = {}
    for url, part in parts.inner:
        known = _of_parts.get(part.token)
        if known is None:
            inner = references(url, part.data)
            new = tuple(inner.references), tuple(sorted(inner.opaque))
            known = _of_parts[part.token] = _parts.setdefault(new, new)
        met[known] = None
    for named, opaque in met:
        found.references.update(dict.fromkeys(named))
        found.opaque.update(opaque)
    return found


def _walk_any(type_url: str, body: bytes, found: Found) -> None:
    cls = _pool().url_to_type.get(type_url)
    if cls is None:
        found.opaque.add(type_url)
    elif _worth(cls):
        _walk(cls, body, found)


def _walk(cls: _Class, body: bytes, found: Found) -> None:
    layout = _layout(cls)
    if layout.name == _BRANCH:
        _walk_branch(layout, body, found)
    elif layout.alike and len(body) < _SMALL:
        seen = _seen(cls, body)
        if seen.references:
            found.references.update(seen.references)
        if seen.opaque:
            found.opaque.update(seen.opaque)
    else:
        _walk_message(layout, body, found)


def _walk_branch(layout: _Layout, body: bytes, found: Found) -> None:
    """A part of a matcher, known by its content without digests: an edit changes one branch, and the digest of all."""
    key = blake2b(_blank(body), digest_size=16).digest()
    known = _branches.get(key)
    if known is None:
        inner = Found()
        _walk_fields(layout, body, inner)
        if len(_branches) >= _BRANCHES:
            _branches.clear()
        parts = tuple(inner.references), tuple(sorted(inner.opaque))
        known = _branches[key] = _parts.setdefault(parts, parts)
    found.references.update(dict.fromkeys(known[0]))
    found.opaque.update(known[1])


def _blank(body: bytes) -> bytes:
    """Without the digests of metadata, nor the same ones at the ends of routes' names."""
    blank = _DIGEST.sub(_BLANK, body)
    for digest in {found[-len(_NONE) :] for found in _DIGEST.findall(body)}:
        blank = blank.replace(b"@" + digest, b"@" + _NONE)
    return blank


@lru_cache(maxsize=10_000)
def _seen(cls: _Class, body: bytes) -> Found:
    """What is in a message of which a resource holds many that are equal: of ten thousand routes, all but a few parts are."""
    found = Found()
    _walk_message(_layout(cls), body, found)
    return found


def _walk_message(layout: _Layout, body: bytes, found: Found) -> None:
    if layout.name == "google.protobuf.Any":
        values = {number: value for number, _, value in fields(body)}
        if 1 in values:
            _walk_any(text(values[1]), blob(values.get(2, b"")), found)
    else:
        _walk_fields(layout, body, found)


def _walk_fields(layout: _Layout, body: bytes, found: Found) -> None:
    special = _SPECIAL.get(layout.name)
    if special is not None:
        found.references.update(dict.fromkeys(special(layout, body)))
    nested, entries, direct = layout.nested, layout.entries, layout.direct
    for number, kind, value in fields(body):
        if kind != BYTES:
            continue
        if number in nested:
            _walk(nested[number], blob(value), found)
        elif number in entries:
            for part, _, inner in fields(blob(value)):
                if part == 2:
                    _walk(entries[number], blob(inner), found)
        elif number in direct and value:
            found.references[(CLUSTER, text(value))] = None


def _texts(layout: _Layout, body: bytes, *names: str) -> dict[str, bytes]:
    wanted = {layout.numbers[n]: n for n in names}
    return {wanted[n]: v for n, _, v in fields(body) if n in wanted and isinstance(v, bytes)}


def _rds(layout: _Layout, body: bytes) -> Iterator[Reference]:
    if name := _texts(layout, body, "route_config_name").get("route_config_name"):
        yield ROUTES, text(name)


def _ecds(layout: _Layout, body: bytes) -> Iterator[Reference]:
    values = _texts(layout, body, "name", "config_discovery")
    if "config_discovery" in values:
        yield EXTENSION, text(values.get("name", b""))


def _sds(layout: _Layout, body: bytes) -> Iterator[Reference]:
    values = _texts(layout, body, "name", "sds_config")
    if "sds_config" in values:
        yield SECRET, text(values.get("name", b""))


_EDS = 3  # envoy.config.cluster.v3.Cluster.DiscoveryType


def _cluster(layout: _Layout, body: bytes) -> Iterator[Reference]:
    """Where a cluster's endpoints come from; the listener of the proxy's own that it leads to, if its first one is that."""
    own = {layout.numbers[n]: n for n in ("name", "type", "eds_cluster_config", "load_assignment")}
    values = {own[n]: v for n, _, v in fields(body) if n in own}
    if values.get("type") != _EDS:
        if inside := _within(blob(values.get("load_assignment", b""))):
            yield LISTENER, text(inside)
        return
    config = {n: v for n, _, v in fields(blob(values.get("eds_cluster_config", b"")))}
    yield ENDPOINTS, text(config.get(2, b"")) or text(values.get("name", b""))


_INSIDE = (2, 2, 1, 1, 3, 1)
"""ClusterLoadAssignment.endpoints, .lb_endpoints, .endpoint, .address, .envoy_internal_address, .server_listener_name."""


def _within(body: bytes) -> bytes:
    for wanted in _INSIDE:
        body = next((blob(value) for number, kind, value in fields(body) if number == wanted and kind == BYTES), b"")
    return body


_SPECIAL: dict[str, Callable[[_Layout, bytes], Iterator[Reference]]] = {
    "envoy.config.cluster.v3.Cluster": _cluster,
    "envoy.config.listener.v3.ListenerFilter": _ecds,
    "envoy.config.listener.v3.Filter": _ecds,
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": _ecds,
    "envoy.extensions.filters.network.http_connection_manager.v3.Rds": _rds,
    "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig": _sds,
}

__all__ = ["Found", "Reference", "WireError", "references", "references_of_parts"]
