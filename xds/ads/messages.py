"""bytes <-> Request, Response: the discovery messages of both variants, as far as the server reads them.

Field numbers: envoy/service/discovery/v3/discovery.proto, envoy/config/core/v3/base.proto, google/rpc/status.proto and
google/protobuf/struct.proto. What is not listed is skipped, above all a node's list of extensions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from struct import unpack
from typing import Any

from xds.snapshot.resource import Resource
from xds.snapshot.wire import BYTES, FIXED64, WireError, blob, element, fields, text
from xds.snapshot.wire import field as put

_DEPTH = 16  # of a node's metadata; deeper is cut off, since nobody groups nodes by that


@dataclass(frozen=True, slots=True)
class Node:
    """Who is asking (envoy.config.core.v3.Node), without its extensions. `metadata` is plain data."""

    id: str
    cluster: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A discovery request of either variant.

    `names` are the whole subscription (state of the world) or those subscribed to (delta, with `dropped` and `held`, the
    initial resource versions). `error` is the NACK's message, None if the request is no NACK.
    """

    type_url: str
    names: tuple[str, ...] = ()
    nonce: str = ""
    version: str = ""
    error: str | None = None
    dropped: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A discovery response of either variant; `removed` is delta's only. `version` is that of what the client then holds."""

    type_url: str
    version: str
    nonce: str
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()


def decode_sotw(data: bytes) -> Request:
    """A serialised DiscoveryRequest. Raises WireError."""
    names: list[str] = []
    plain: dict[int, str] = {}
    error, node = None, None
    for number, _, value in fields(data):
        if number == 3:
            names.append(text(value))
        elif number in (1, 4, 5):
            plain[number] = text(value)
        elif number == 6:
            error = _status(blob(value))
        elif number == 2:
            node = decode_node(blob(value))
    return Request(plain.get(4, ""), tuple(names), plain.get(5, ""), plain.get(1, ""), error, node=node)


def decode_delta(data: bytes) -> Request:
    """A serialised DeltaDiscoveryRequest. Raises WireError."""
    names: list[str] = []
    dropped: list[str] = []
    held: dict[str, str] = {}
    plain: dict[int, str] = {}
    error, node = None, None
    for number, _, value in fields(data):
        if number == 3:
            names.append(text(value))
        elif number == 4:
            dropped.append(text(value))
        elif number == 5:
            entry = _entry(blob(value))
            held[text(entry.get(1, b""))] = text(entry.get(2, b""))
        elif number in (2, 6):
            plain[number] = text(value)
        elif number == 7:
            error = _status(blob(value))
        elif number == 1:
            node = decode_node(blob(value))
    return Request(plain.get(2, ""), tuple(names), plain.get(6, ""), "", error, tuple(dropped), held, node)


def _entry(data: bytes) -> dict[int, int | bytes]:
    return {number: value for number, _, value in fields(data)}


def _status(data: bytes) -> str:
    """The message of a google.rpc.Status; the presence of one is the NACK, even if it says nothing."""
    values = _entry(data)
    return blob(values.get(2, b"")).decode(errors="replace")


def decode_node(data: bytes) -> Node:
    """A serialised Node without its extensions. Raises WireError."""
    values: dict[int, str] = {}
    metadata: dict[str, Any] = {}
    for number, kind, value in fields(data):
        if kind != BYTES:
            continue
        if number in (1, 2):
            values[number] = text(value)
        elif number == 3:
            metadata = _struct(blob(value), _DEPTH)
    return Node(values.get(1, ""), values.get(2, ""), metadata)


def _struct(data: bytes, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for number, _, value in fields(data):
        if number == 1 and depth:
            entry = _entry(blob(value))
            out[text(entry.get(1, b""))] = _value(blob(entry.get(2, b"")), depth - 1)
    return out


def _value(data: bytes, depth: int) -> Any:
    for number, kind, value in fields(data):
        if number == 2 and kind == FIXED64:
            return unpack("<d", blob(value))[0]
        if number == 3:
            return text(value)
        if number == 4:
            return bool(value)
        if number == 5:
            return _struct(blob(value), depth)
        if number == 6:
            return [_value(blob(item), depth - 1) for n, _, item in fields(blob(value)) if n == 1] if depth else []
    return None


def _any(resource: Resource) -> bytes:
    return put(1, resource.type_url) + put(2, resource.body)


def encode_sotw(response: Response) -> bytes:
    """A DiscoveryResponse without its nonce, so that streams that are sent the same share the bytes."""
    parts = [put(1, response.version), *(element(2, _any(r)) for r in response.resources), put(4, response.type_url)]
    return b"".join(parts)


def encode_delta(response: Response) -> bytes:
    """A DeltaDiscoveryResponse without its nonce."""
    return b"".join(
        (
            put(1, response.version),
            *(element(2, put(1, r.version) + element(2, _any(r)) + put(3, r.name)) for r in response.resources),
            put(4, response.type_url),
            *(element(6, name) for name in response.removed),
        )
    )


def nonce_field(nonce: str) -> bytes:
    """The nonce as the last field of either response: protobuf lets fields stand in any order."""
    return put(5, nonce)


def names_in(message: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that an error message mentions as whole words, for a client says in prose what it refused."""
    return tuple(name for name in names if _mentions(message, name))


def _mentions(message: str, name: str) -> bool:
    return re.search(rf"(?<![\w/-]){re.escape(name)}(?![\w/-]|\.\w)", message) is not None if name else False


__all__ = [
    "Node",
    "Request",
    "Response",
    "WireError",
    "decode_delta",
    "decode_node",
    "decode_sotw",
    "encode_delta",
    "encode_sotw",
    "names_in",
    "nonce_field",
]
