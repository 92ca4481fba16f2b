"""class, fields -> message, without the checks of its constructor.

A constructor of envoy-data-plane validates every field, 13 us and more a message; routes and matchers are made by the tens
of thousand from values of known types. The golden tests hold each kind of them against the validating encoder, and Envoy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from betterproto2 import Message

from xds.envoy.codec import metadata

M = TypeVar("M", bound=Message)


def maker(cls: type[M]) -> Callable[..., M]:
    """A constructor that trusts its keyword arguments. Fields that are left out share one default: never change them."""

    def make(**fields: Any) -> M:
        message = object.__new__(cls)
        message.__dict__.update(_defaults(cls))
        message.__dict__.update(fields)
        return message

    return make


@cache
def _defaults(cls: type[Message]) -> dict[str, Any]:
    cls()  # pydantic finishes a class when it is first constructed, and the validating encoder needs that
    return {**{name: default() for name, default in metadata(cls).default_gen.items()}, "_unknown_fields": b""}
