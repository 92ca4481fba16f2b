"""PEM files -> Secret: certificates with their keys, and authorities, looked at before any proxy is given them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from xds.model.listeners import Secret, UpstreamTls
from xds.settings.reader import Reader

SOON = timedelta(days=30)
"""Who renews by hand is told so long before."""

CODES = ("certificate-unreadable", "certificate-invalid", "certificate-mismatch", "certificate-validity")
"""What may be wrong with the files themselves: then the last good ones stay in force, and nothing else is held up."""

RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""What Envoy's TLS library signs with."""


def certificate(reader: Reader, cert: Any, key: Any, at: str) -> str | None:
    """The name of the secret for a certificate's file (with its chain, the certificate first) and its private key's.

    What is wrong with the files is said, with the place of the settings that name them; the name comes out all the same,
    since the proxies may have the secret from before. None if the settings themselves make no sense.
    """
    if not isinstance(cert, str) or not isinstance(key, str):
        reader.say("settings-invalid", "a certificate has a `cert` and a `key`, both names of PEM files", at)
        return None
    cert, key = reader.file(cert, f"{at}/cert"), reader.file(key, f"{at}/key")
    name = f"certificate:{cert}"
    reader.want(name, at)
    if reader.closed or name in reader.secrets:
        return name
    chain, private = _data(reader, cert, f"{at}/cert"), _data(reader, key, f"{at}/key")
    if chain is not None and private is not None and (names := _pair(reader, chain, private, at)) is not None:
        reader.secrets[name] = Secret(name, chain, private, names, (cert, key))
    return name


def authorities(reader: Reader, file: Any, at: str) -> str | None:
    """The name of the secret for a file of authorities' certificates; as `certificate` does."""
    if not isinstance(file, str):
        reader.say("settings-invalid", "authorities are the name of a PEM file with their certificates", at)
        return None
    file = reader.file(file, at)
    name = f"authorities:{file}"
    reader.want(name, at)
    if reader.closed or name in reader.secrets:
        return name
    data = _data(reader, file, at)
    if data is not None and _certificates(reader, data, at):
        reader.secrets[name] = Secret(name, data, files=(file,))
    return name


def upstream_tls(reader: Reader, value: Any, at: str) -> UpstreamTls:
    """`tls` of an upstream, whose form has been checked."""
    ca = authorities(reader, value["ca"], f"{at}/ca") if "ca" in value else None
    own = certificate(reader, value.get("cert"), value.get("key"), at) if "cert" in value or "key" in value else None
    return UpstreamTls(ca, own, value.get("serverName"))


def _data(reader: Reader, file: str, at: str) -> bytes | None:
    data = reader.files.get(file)
    if data is None:
        reader.say("certificate-unreadable", f"there is no readable file '{file}' in the project", at)
    return data


def _pair(reader: Reader, chain: bytes, private: bytes, at: str) -> tuple[str, ...] | None:
    """The DNS names of a certificate that goes with its key and is valid now."""
    certificates = _certificates(reader, chain, f"{at}/cert")
    key = _key(reader, private, f"{at}/key")
    if not certificates or key is None:
        return None
    leaf = certificates[0]
    if _public(leaf) != _public(key):
        reader.say(
            "certificate-mismatch",
            "the key is not that of the certificate",
            f"{at}/key",
            "the chain's first certificate must be the key's own",
        )
        return None
    if reader.clock is not None and (problem := _invalid_now(leaf, reader.clock())):
        reader.say("certificate-validity", problem, f"{at}/cert")
        return None
    if reader.clock is not None and ends_soon(leaf, reader.clock()):
        message = f"the certificate is valid until {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC only"
        reader.say("certificate-expiring", message, f"{at}/cert", "renew it; it is read anew without a restart")
    return _names(leaf)


def _certificates(reader: Reader, data: bytes, at: str) -> list[Any]:
    from cryptography.x509 import load_pem_x509_certificates

    if b"PRIVATE KEY" in data:
        reader.say("certificate-invalid", "holds a private key, which belongs in a file of its own", at)
        return []
    try:
        return load_pem_x509_certificates(data)
    except ValueError:
        reader.say("certificate-invalid", "is no PEM file of X.509 certificates", at)
        return []


def _key(reader: Reader, data: bytes, at: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        reader.say("certificate-invalid", "is no PEM file of a private key without a passphrase", at)
        return None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return key
    reader.say("certificate-invalid", f"is neither an RSA key of {RSA_BITS} bits nor one on P-256, P-384 or P-521", at)
    return None


def _public(of: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    data: bytes = of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return data


def _invalid_now(leaf: Any, now: datetime) -> str | None:
    if now < leaf.not_valid_before_utc:
        return f"the certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if now > leaf.not_valid_after_utc:
        return f"the certificate is not valid since {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    return None


def ends_soon(leaf: Any, now: datetime) -> bool:
    """A certificate of a day or a week is no news: one that is renewed by a machine is so before its last third begins."""
    end = leaf.not_valid_after_utc
    whole: timedelta = end - leaf.not_valid_before_utc
    return bool(end - now < min(SOON, whole / 3))


def _names(leaf: Any) -> tuple[str, ...]:
    from cryptography.x509 import DNSName, ExtensionNotFound, SubjectAlternativeName

    try:
        found = leaf.extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ExtensionNotFound, ValueError):
        return ()
    return tuple(sorted({name.lower() for name in found.get_values_for_type(DNSName)}))


def files_of_upstreams(services: Any) -> Iterator[str]:
    """The files that services' upstreams name for TLS; anything may stand there."""
    for service in services.values() if isinstance(services, dict) else ():
        versions = service.get("versions") if isinstance(service, dict) else None
        every = [service, *(versions.values() if isinstance(versions, dict) else ())]
        for upstream in (each.get("upstream") for each in every if isinstance(each, dict)):
            tls = upstream.get("tls") if isinstance(upstream, dict) else None
            named = (tls.get(part) for part in ("ca", "cert", "key")) if isinstance(tls, dict) else ()
            yield from (file for file in named if isinstance(file, str))


def now() -> datetime:
    """The time by which certificates are judged."""
    return datetime.now(UTC)
