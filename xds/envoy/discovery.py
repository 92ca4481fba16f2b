"""What the control plane delivers over its one aggregated stream, as Envoy asks for it."""

from __future__ import annotations

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    ExtensionConfigSource,
)

from xds.envoy.codec import type_url
from xds.envoy.typed import seconds


def by_ads() -> ConfigSource:
    """The aggregated stream; whoever needs a resource waits for it."""
    return ConfigSource(
        ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3, initial_fetch_timeout=seconds(0)
    )


def discovered(kind: type[Message]) -> ExtensionConfigSource:
    """A filter whose configuration changes without the listener; until it is there, the listener is not ready."""
    return ExtensionConfigSource(config_source=by_ads(), type_urls=[type_url(kind)])
