"""Upstream -> TLS to it: chain and name are checked, and the proxy shows a certificate of its own if it has one."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import DataSource, TransportSocket
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    CommonTlsContextCombinedCertificateValidationContext,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds.envoy.codec import any_of
from xds.envoy.secrets import by_sds
from xds.model.listeners import UpstreamTls
from xds.native.traffic import is_address


def upstream_tls(host: str, authorities: str, tls: UpstreamTls | None = None) -> TransportSocket:
    """TLS that checks chain and name. `authorities` is the file of those that the system trusts, for upstreams that name
    none of their own: Envoy 1.40 takes no check of names with `system_root_certs`."""
    tls = tls or UpstreamTls()
    name = tls.server_name or host
    checked = CertificateValidationContext(match_typed_subject_alt_names=[_named(name)])
    if tls.ca is None:
        checked.trusted_ca = DataSource(filename=authorities)
        common = CommonTlsContext(validation_context=checked)
    else:
        both = CommonTlsContextCombinedCertificateValidationContext(
            default_validation_context=checked, validation_context_sds_secret_config=by_sds(tls.ca)
        )
        common = CommonTlsContext(combined_validation_context=both)
    if tls.certificate is not None:
        common.tls_certificate_sds_secret_configs = [by_sds(tls.certificate)]
    context = UpstreamTlsContext(sni="" if is_address(name) else name, common_tls_context=common)
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=any_of(context))


def _named(name: str) -> SubjectAltNameMatcher:
    kind = SubjectAltNameMatcherSanType.IP_ADDRESS if is_address(name) else SubjectAltNameMatcherSanType.DNS
    return SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=name))
