"""Gateway -> Secret: what proxies are given by SDS, so that new files change no listener, no cluster and no connection."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    GenericSecret,
    SdsSecretConfig,
    Secret,
    TlsCertificate,
)

from xds.envoy.discovery import by_ads
from xds.model import Gateway, JwtScheme
from xds.model.listeners import Secret as Material


def secrets(gateway: Gateway) -> Iterator[tuple[str, Secret]]:
    """Every secret that a listener or an upstream of the gateway asks for, by name."""
    wanted = set(_wanted(gateway))
    for each in gateway.secrets:
        if each.name in wanted:
            yield each.name, _secret(each)
            if each.plain:
                yield f"{each.name}:cookies", _text(f"{each.name}:cookies", _derived(each.certificate))


def by_sds(name: str) -> SdsSecretConfig:
    """The reference to a secret; whoever needs it waits for it."""
    return SdsSecretConfig(name=name, sds_config=by_ads())


def _wanted(gateway: Gateway) -> Iterator[str]:
    for scheme in gateway.schemes:
        if isinstance(scheme, JwtScheme) and scheme.login:
            yield scheme.login.secret
    for listener in gateway.listeners:
        if listener.tls is not None:
            yield from (each.secret for each in listener.tls.certificates)
            yield from filter(None, [listener.tls.client_ca])
    for service in gateway.services:
        for version in service.versions:
            if (tls := version.upstream.tls) is not None:
                yield from filter(None, (tls.ca, tls.certificate))


def _text(name: str, text: bytes) -> Secret:
    return Secret(name=name, generic_secret=GenericSecret(secret=DataSource(inline_bytes=text)))


def _derived(secret: bytes) -> bytes:
    """What cookies are protected with: the same on every proxy, and no way back to the client's secret."""
    return hmac.new(secret, b"sidegate login cookies", hashlib.sha256).digest()


def _secret(material: Material) -> Secret:
    if material.plain:
        return _text(material.name, material.certificate)
    data = DataSource(inline_bytes=material.certificate)
    if not material.key:
        return Secret(name=material.name, validation_context=CertificateValidationContext(trusted_ca=data))
    pair = TlsCertificate(certificate_chain=data, private_key=DataSource(inline_bytes=material.key))
    return Secret(name=material.name, tls_certificate=pair)
