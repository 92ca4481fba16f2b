"""Model -> Envoy resources."""

from xds.envoy.lower import Resources, lower
from xds.envoy.profile import Collector, Limits, Profile

__all__ = ["Collector", "Limits", "Profile", "Resources", "lower"]
