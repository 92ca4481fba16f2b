"""resources -> YAML or JSON, for people and for Envoy's own readers: proto3's JSON form, in a stable order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import betterproto2
from betterproto2 import Message
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    GenericSecret,
    TlsCertificate,
    TlsSessionTicketKeys,
)
from envoy_data_plane.google.protobuf import Any as AnyMessage
from envoy_data_plane.google.protobuf import ListValue, Struct, Value

from xds.envoy.codec import metadata, unpack
from xds.envoy.lowering import Resources

Json = dict[str, Any]

SHORT = {
    "Cluster": "clusters",
    "ClusterLoadAssignment": "endpoints",
    "TypedExtensionConfig": "extensions",
    "Listener": "listeners",
    "Secret": "secrets",
    "RateLimitConfig": "rate-limits",
}
"""The names of resource types in rendered text; any other is its message's name in small letters."""


REDACTED = "<redacted>"
SECRET: Mapping[type[Message], tuple[str, ...]] = {
    GenericSecret: ("secret",),
    TlsCertificate: ("private_key", "password", "pkcs12"),
    TlsSessionTicketKeys: ("keys",),
}
"""The fields that nobody is shown."""


def render(resources: Resources, format: str = "yaml", type: str | None = None) -> str:
    """All resources, or those of one type (`clusters`, `endpoints`, `extensions`, `listeners`, `routes`, or a type URL).

    Raises ValueError for a type that is not there.
    """
    tree = {short_name(url): [plain(message) for message in named.values()] for url, named in resources.items()}
    if type is not None:
        wanted = short_name(type) if "/" in type else type
        if wanted not in tree and wanted != SHORT["Secret"]:  # there are only some if there is TLS
            raise ValueError(f"no resources of type {type}: there are {', '.join(tree)}")
        tree = {wanted: tree.get(wanted, [])}
    if format == "json":
        return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
    return as_yaml(tree)


def as_yaml(tree: Any) -> str:
    """YAML in the order given."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(tree, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))


def short_name(url: str) -> str:
    """`type.googleapis.com/envoy.config.cluster.v3.Cluster` -> `clusters`."""
    name = url.rpartition(".")[2]
    return SHORT.get(name, "routes" if name == "RouteConfiguration" else name.lower())


def plain(message: Message) -> Any:
    """A message as JSON (Protocol Buffers, ProtoJSON), fields by their proto names, enums by name, `Any`s unpacked."""
    match message:
        case AnyMessage(type_url=""):
            return {}  # of nothing
        case AnyMessage():
            inner = plain(unpack(message))
            body = inner if isinstance(inner, dict) else {"value": inner}
            return {"@type": message.type_url, **body}
        case Struct():
            return {key: plain(value) for key, value in message.fields.items()}
        case ListValue():
            return [plain(value) for value in message.values]
        case Value():
            return _json_value(message)
    return _fields(message)


def _json_value(value: Value) -> Any:
    if value.struct_value is not None:
        return plain(value.struct_value)
    if value.list_value is not None:
        return plain(value.list_value)
    if value.number_value is not None:
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    return value.string_value if value.string_value is not None else value.bool_value


def _fields(message: Message) -> Json:
    out: Json = {}
    known = metadata(type(message))
    hidden = SECRET.get(type(message), ())
    for name in known.meta_by_field_name:
        value = getattr(message, name)
        if value is None or value == known.default_gen[name]():
            continue
        cls = known.cls_by_field.get(f"{name}.value") or known.cls_by_field[name]
        out[name.rstrip("_")] = REDACTED if name in hidden else _value(value, cls)
    return out


def _value(value: Any, cls: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _value(inner, cls) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(item, cls) for item in value]
    if isinstance(value, Message):
        return plain(value)
    if isinstance(value, betterproto2.Enum):
        return value.proto_name or value.name
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.9f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return value
