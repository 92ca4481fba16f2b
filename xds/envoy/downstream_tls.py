"""Listener -> its filter chains' TLS: which certificates for which names, and what clients must show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from envoy_data_plane.envoy.config.core.v3 import TransportSocket
from envoy_data_plane.envoy.extensions.transport_sockets.quic.v3 import QuicDownstreamTransport
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CommonTlsContext,
    DownstreamTlsContext,
    TlsParameters,
    TlsParametersTlsProtocol,
)

from xds.envoy.codec import any_of
from xds.envoy.secrets import by_sds
from xds.model.listeners import ClientCertificate, Tls

CIPHERS = (
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""For TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325, section 4.2). TLS 1.3 has no others."""

_MINIMUM = {"1.2": TlsParametersTlsProtocol.TLSv1_2, "1.3": TlsParametersTlsProtocol.TLSv1_3}

Names = Mapping[str, tuple[str, ...]]
"""The DNS names of each certificate, by its secret."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A filter chain: for clients that ask for one of `names`, with `certificates`; no names is whoever asks for none that
    another chain has. `foreign` are then the others' names."""

    certificates: tuple[str, ...]
    names: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def chains(tls: Tls, names: Names) -> tuple[Chain, ...]:
    """A chain for each set of certificates that share a name, so that a changed certificate drains no connections but its
    own; names sorted, the default last."""
    by_name: dict[str, list[str]] = {}
    for offered in tls.certificates:
        for name in names.get(offered.secret, ()):
            if offered.secret not in (held := by_name.setdefault(name, [])):
                held.append(offered.secret)
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(by_name):
        groups.setdefault(tuple(by_name[name]), []).append(name)
    found = [Chain(certificates, tuple(each)) for certificates, each in groups.items()]
    for offered in tls.certificates:
        if offered.default:
            own = set(names.get(offered.secret, ()))
            found.append(Chain((offered.secret,), (), tuple(sorted(by_name.keys() - own))))
    return tuple(found)


def transport(tls: Tls, certificates: Iterable[str]) -> TransportSocket:
    """TLS over TCP, HTTP/2 and HTTP/1.1 by ALPN (RFC 7301)."""
    context = _context(tls, certificates, ["h2", "http/1.1"])
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=any_of(context))


def quic(tls: Tls, certificates: Iterable[str]) -> TransportSocket:
    """QUIC, which is TLS 1.3. Without early data, which anybody could send again (RFC 8446, section 8)."""
    context = _context(tls, certificates, ["h3"])
    config = QuicDownstreamTransport(downstream_tls_context=context, enable_early_data=False)
    return TransportSocket(name="envoy.transport_sockets.quic", typed_config=any_of(config))


def _context(tls: Tls, certificates: Iterable[str], protocols: list[str]) -> DownstreamTlsContext:
    asked = tls.client is not ClientCertificate.NONE
    common = CommonTlsContext(
        tls_params=TlsParameters(
            tls_minimum_protocol_version=_MINIMUM[tls.min_version],
            tls_maximum_protocol_version=TlsParametersTlsProtocol.TLSv1_3,
            cipher_suites=list(CIPHERS),
        ),
        tls_certificate_sds_secret_configs=[by_sds(name) for name in certificates],
        validation_context_sds_secret_config=by_sds(tls.client_ca) if tls.client_ca else None,
        alpn_protocols=protocols,
    )
    return DownstreamTlsContext(
        common_tls_context=common,
        require_client_certificate=tls.client is ClientCertificate.REQUIRED,
        # A resumed session would not be checked against the authorities and the time of now.
        disable_stateless_session_resumption=True if asked else None,
        disable_stateful_session_resumption=asked,
    )
