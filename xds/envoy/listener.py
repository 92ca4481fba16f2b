"""Profile -> Listener."""

from __future__ import annotations

from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener

from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.connection_manager import connection_manager
from xds.envoy.profile import Profile
from xds.envoy.typed import address
from xds.model import Gateway


def listener(gateway: Gateway, profile: Profile) -> Listener:
    """The edge: cleartext HTTP/1.1 and HTTP/2 on the profile's address."""
    http = Filter(name="http", typed_config=any_of(connection_manager(gateway, profile)))
    return Listener(
        name=names.LISTENER,
        address=address(*profile.listen),
        filter_chains=[FilterChain(filters=[http])],
        per_connection_buffer_limit_bytes=profile.limits.buffer,
    )
