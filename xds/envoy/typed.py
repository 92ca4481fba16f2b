"""Small messages that every builder needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from betterproto2 import Message
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    SocketAddress,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.type.matcher.v3 import ListStringMatcher, RegexMatcher, StringMatcher
from envoy_data_plane.google.protobuf import ListValue, Struct, Value

from xds.envoy.codec import any_of


def typed(name: str, message: Message) -> TypedExtensionConfig:
    """An extension with its configuration."""
    return TypedExtensionConfig(name=name, typed_config=any_of(message))


def seconds(value: float) -> timedelta:
    """A duration."""
    return timedelta(seconds=value)


def address(host: str, port: int) -> Address:
    """A TCP address."""
    return Address(socket_address=SocketAddress(address=host, port_value=port))


def overwrite(name: str, value: str) -> HeaderValueOption:
    """A header that replaces every other of its name; left out if its value comes out empty."""
    action = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    return HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action)


def set_header(name: str, value: str) -> HeaderMutation:
    """The mutation that overwrites a header."""
    return HeaderMutation(append=overwrite(name, value))


def changed(name: str, value: str, action: HeaderValueOptionHeaderAppendAction) -> HeaderMutation:
    """The mutation that does with a header what `action` says; nothing if its value comes out empty."""
    return HeaderMutation(append=HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action))


def appended(name: str, value: str) -> HeaderMutation:
    """A member more of a field that is a list."""
    return changed(name, value, HeaderValueOptionHeaderAppendAction.APPEND_IF_EXISTS_OR_ADD)


def any_name(
    *, prefixes: Iterable[str] = (), exact: Iterable[str] = (), regexes: Iterable[str] = ()
) -> ListStringMatcher:
    """A matcher for header names."""
    patterns = [StringMatcher(prefix=p) for p in prefixes]
    patterns += [StringMatcher(exact=e) for e in exact]
    patterns += [StringMatcher(safe_regex=RegexMatcher(regex=r)) for r in regexes]
    return ListStringMatcher(patterns=patterns)


def struct(values: Mapping[str, Any]) -> Struct:
    """A JSON object as `google.protobuf.Struct`."""
    return Struct(fields={key: _value(value) for key, value in values.items()})


def _value(value: Any) -> Value:
    match value:
        case bool():
            return Value(bool_value=value)
        case str():
            return Value(string_value=value)
        case int() | float():
            return Value(number_value=float(value))
        case Mapping():
            return Value(struct_value=struct(value))
        case list() | tuple():
            return Value(list_value=ListValue(values=[_value(item) for item in value]))
    raise TypeError(f"no JSON value: {type(value).__name__}")
