"""Gateway, Profile -> Listener: one in the clear where the profile says, or those of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    SocketAddress,
    SocketAddressProtocol,
    TransportSocket,
)
from envoy_data_plane.envoy.config.listener.v3 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    Listener,
    ListenerFilter,
    QuicProtocolOptions,
    UdpListenerConfig,
)
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector.v3 import TlsInspector

from xds.envoy import names
from xds.envoy.chain import filters, redirecting
from xds.envoy.codec import any_of
from xds.envoy.connection_manager import connection_manager
from xds.envoy.connection_manager import quic as quic_options
from xds.envoy.downstream_tls import Chain, chains, quic, transport
from xds.envoy.filters.listening import own_filters
from xds.envoy.patches import patched
from xds.envoy.profile import Profile
from xds.envoy.typed import address, seconds
from xds.model import Gateway
from xds.model.listeners import Listener as Settings


def listeners(gateway: Gateway, profile: Profile) -> Iterator[Listener]:
    """Every listener of a gateway. None depends on its services: changing one drains connections."""
    if not gateway.listeners:
        host, port = profile.listen
        yield _plain(Settings(names.LISTENER, host, port), gateway, profile)
    for each in gateway.listeners:
        yield _plain(each, gateway, profile) if each.tls is None else _secure(each, gateway, profile)
        if each.http3:
            yield _http3(each, gateway, profile)


def _plain(settings: Settings, gateway: Gateway, profile: Profile) -> Listener:
    return Listener(
        name=settings.name,
        address=address(settings.host, settings.port),
        filter_chains=[FilterChain(filters=[_http(settings, None, gateway, profile)])],
        per_connection_buffer_limit_bytes=profile.limits.buffer,
    )


def _secure(settings: Settings, gateway: Gateway, profile: Profile) -> Listener:
    """TLS over TCP. A client that asks for a name which no certificate has reaches no chain: its connection is closed."""
    inspector = ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=any_of(TlsInspector()))
    return Listener(
        name=settings.name,
        address=address(settings.host, settings.port),
        listener_filters=[inspector],
        listener_filters_timeout=seconds(profile.limits.headers_s),
        filter_chains=list(_chains(settings, gateway, profile)),
        per_connection_buffer_limit_bytes=profile.limits.buffer,
    )


def _http3(settings: Settings, gateway: Gateway, profile: Profile) -> Listener:
    """QUIC on the UDP port of the same number."""
    place = SocketAddress(protocol=SocketAddressProtocol.UDP, address=settings.host, port_value=settings.port)
    return Listener(
        name=names.http3(settings.name),
        address=Address(socket_address=place),
        filter_chains=list(_chains(settings, gateway, profile, http3=True)),
        udp_listener_config=UdpListenerConfig(
            quic_options=QuicProtocolOptions(quic_protocol_options=quic_options(profile))
        ),
    )


def _chains(settings: Settings, gateway: Gateway, profile: Profile, *, http3: bool = False) -> Iterator[FilterChain]:
    assert settings.tls is not None, "only listeners with TLS have chains"
    held = {secret.name: secret.names for secret in gateway.secrets}
    for chain in chains(settings.tls, held):
        match = FilterChainMatch(server_names=list(chain.names), transport_protocol="quic" if http3 else "tls")
        socket = quic(settings.tls, chain.certificates) if http3 else transport(settings.tls, chain.certificates)
        yield _chain(_http(settings, chain, gateway, profile, http3=http3), match, socket, chain, profile)


def _chain(
    http: Filter, match: FilterChainMatch, socket: TransportSocket, chain: Chain, profile: Profile
) -> FilterChain:
    return FilterChain(
        name=",".join(chain.names) or "default",
        filter_chain_match=match,
        filters=[http],
        transport_socket=socket,
        transport_socket_connect_timeout=seconds(profile.limits.headers_s),
    )


def _http(
    settings: Settings, chain: Chain | None, gateway: Gateway, profile: Profile, *, http3: bool = False
) -> Filter:
    own = list(own_filters(settings, chain))
    if settings.redirect is None:
        manager = connection_manager(profile, filters(gateway, profile, own), http3=http3)
    else:
        target = next(each for each in gateway.listeners if each.name == settings.redirect)
        routes = names.redirect(target.public_port)
        manager = connection_manager(profile, redirecting(gateway, profile, own), routes)
    manager = patched("connection-manager", settings.name, manager, gateway.edge)
    return Filter(name="http", typed_config=any_of(manager))
