"""message, JSON -> the message with that merged in, checked against its type field by field.

The JSON is that of Protocol Buffers (ProtoJSON) with fields by their proto names. Messages merge, all else is replaced, null
takes off what was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xds.diagnostics import did_you_mean
from xds.source.pointer import join

if TYPE_CHECKING:
    from betterproto2 import Message


@dataclass(frozen=True, slots=True)
class Mismatch(Exception):
    """JSON that a message cannot take, and where in it."""

    message: str
    pointer: str
    help: str | None = None


def message_type(name: str) -> type[Message]:
    """The class of `envoy.config.cluster.v3.Cluster`. Raises KeyError."""
    from envoy_data_plane.message_pool import default_message_pool

    __import__(f"envoy_data_plane.{name.rpartition('.')[0]}")
    return default_message_pool.url_to_type[f"type.googleapis.com/{name}"]


def merged(message: Any, patch: Mapping[str, Any], pointer: str = "") -> Any:
    """The message with a patch merged in. Raises `Mismatch`."""
    known = _metadata(type(message))
    changes: dict[str, Any] = {}
    for key, value in patch.items():
        at = join(pointer, key)
        if key not in known.meta_by_field_name:
            names = [name.rstrip("_") for name in known.meta_by_field_name]
            raise Mismatch(f"{type(message).__name__} has no field `{key}`", at, did_you_mean(key, names))
        changes[key] = _value(message, key, value, at)
        for other in _group(known, key) - {key}:
            changes.setdefault(other, None)
    try:
        return replace(message, **changes)
    except (ValueError, TypeError) as error:
        raise Mismatch(f"Envoy's type says no: {_first_line(error)}", pointer) from error


def _metadata(cls: type[Any]) -> Any:
    return cls._betterproto


def _group(known: Any, key: str) -> set[str]:
    """The fields of which only one may be set."""
    group = known.meta_by_field_name[key].group
    return {name for name, meta in known.meta_by_field_name.items() if group and meta.group == group}


def _value(message: Any, key: str, value: Any, at: str) -> Any:
    known = _metadata(type(message))
    if value is None:
        return known.default_gen[key]()
    meta, cls, now = known.meta_by_field_name[key], known.cls_by_field.get(key), getattr(message, key)
    if meta.map_meta and isinstance(value, dict):
        return _map(type(message), key, value, now, at)
    if isinstance(value, dict) and not meta.repeated and meta.unwrap is None and _is_message(cls):
        return _inner(cls, now, value, at)
    return _converted(type(message), key, value, at)


def _map(cls: type[Any], key: str, value: dict[str, Any], now: dict[str, Any], at: str) -> dict[str, Any]:
    """Members are merged one by one; null takes one off."""
    inner = _metadata(cls).cls_by_field.get(f"{key}.value")
    out = dict(now)
    for name, member in value.items():
        if member is None:
            out.pop(name, None)
        elif isinstance(member, dict) and _is_message(inner):
            out[name] = _inner(inner, out.get(name), member, join(at, name))
        else:
            out[name] = _converted(cls, key, {name: member}, join(at, name))[name]
    return out


def _is_message(cls: Any) -> bool:
    """Whether fields of a class are merged: all messages but those that are JSON values themselves."""
    from betterproto2 import Message
    from envoy_data_plane.google.protobuf import ListValue, Struct, Value

    return isinstance(cls, type) and issubclass(cls, Message) and not issubclass(cls, (Struct, Value, ListValue))


def _inner(cls: Any, now: Any, value: dict[str, Any], at: str) -> Any:
    from envoy_data_plane.google.protobuf import Any as AnyMessage

    return _any(now, value, at) if issubclass(cls, AnyMessage) else merged(now if now is not None else cls(), value, at)


def _any(now: Any, value: dict[str, Any], at: str) -> Any:
    """What an `Any` holds is merged with what comes if both are of one type."""
    from betterproto2 import Message  # noqa: F401
    from envoy_data_plane.google.protobuf import Any as AnyMessage
    from envoy_data_plane.message_pool import default_message_pool

    url = value.get("@type")
    if not isinstance(url, str):
        raise Mismatch("of an `Any`, `@type` says what it holds", at, '"@type": type.googleapis.com/envoy....')
    try:
        cls = message_type(url.rpartition("/")[2])
    except (KeyError, ImportError) as error:
        raise Mismatch(f"there is no type {url}", join(at, "@type")) from error
    held = getattr(now, "message", None) if now is not None and now.type_url == url else None
    if held is None and now is not None and now.type_url == url:
        held = default_message_pool.url_to_type[url].parse(now.value)
    made = merged(held if held is not None else cls(), {k: v for k, v in value.items() if k != "@type"}, at)
    return AnyMessage(type_url=url, value=bytes(made))


def _converted(cls: type[Any], key: str, value: Any, at: str) -> Any:
    """A field's value as ProtoJSON has it."""
    from betterproto2.casing import safe_snake_case

    unwrap = _metadata(cls).meta_by_field_name[key].unwrap
    try:
        if unwrap is not None and safe_snake_case(key) != key:  # `consecutive_5xx`, which `from_dict` spells otherwise
            return unwrap()(value=value).value
        return getattr(cls.from_dict({key: value}), key)
    except Exception as error:  # whatever the reader of JSON did not expect of somebody's text
        raise Mismatch(f"`{key}` does not take that", at, _taken(cls, key)) from error


_WORDS = {
    "bool": "true or false",
    "string": "a text",
    "bytes": "a text in base64",
    "float": "a number",
    "double": "a number",
    "message": "a mapping of its fields",
}


def _taken(cls: type[Any], key: str) -> str:
    """What a field takes, in ProtoJSON's words."""
    meta, held = _metadata(cls).meta_by_field_name[key], _metadata(cls).cls_by_field.get(key)
    wrapped = meta.unwrap().__name__ if meta.unwrap else ""
    if meta.map_meta:
        words = "a mapping"
    elif meta.proto_type == "enum" and held is not None:
        words = "one of " + ", ".join(each.name for each in held if each.name)[:300]
    elif wrapped == "Duration":
        words = "a time in seconds, like 2s or 0.5s"
    else:
        kind = wrapped.removesuffix("Value").lower() or meta.proto_type
        words = _WORDS.get(kind, "a whole number" if "int" in kind or "fixed" in kind else f"a value of {kind}")
    return f"a list, each member {words}" if meta.repeated and not meta.map_meta else words


def _first_line(error: Exception) -> str:
    return (str(error).strip("\"'") or type(error).__name__).splitlines()[0][:200]
