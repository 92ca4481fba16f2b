"""Model -> Envoy resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xds.envoy.profile import Collector, Limits, Profile

if TYPE_CHECKING:
    from xds.envoy.lowering import Resources, lower

__all__ = ["Collector", "Limits", "Profile", "Resources", "lower"]


def __getattr__(name: str) -> Any:
    """Envoy's messages take seconds to load, and the bootstrap of a proxy needs none of them."""
    if name not in ("Resources", "lower"):
        raise AttributeError(name)
    from xds.envoy import lowering

    return getattr(lowering, name)
