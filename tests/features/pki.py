"""Names -> certificates, made for one run: an authority, what it signs, and pairs that are wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM."""

    cert: str
    key: str
    serial: int


class Authority:
    """A certificate authority that lives as long as the test."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        made = _builder(self._name, self._name, self._key.public_key(), timedelta(days=1))
        self._cert = made.add_extension(constraints, True).sign(self._key, SHA256())
        self.pem = self._cert.public_bytes(Encoding.PEM).decode()

    def issue(
        self, *names: str, subject: str = "", uris: tuple[str, ...] = (), valid: timedelta = timedelta(days=1)
    ) -> Pair:
        """A certificate for DNS names and addresses. A negative `valid` has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(subject or (names or ("nobody",))[0]), self._name, key.public_key(), valid)
        if names or uris:
            listed: list[x509.GeneralName] = [_general(name) for name in names]
            listed += [x509.UniformResourceIdentifier(uri) for uri in uris]
            builder = builder.add_extension(x509.SubjectAlternativeName(listed), False)
        cert = builder.sign(self._key, SHA256())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Pair(cert.public_bytes(Encoding.PEM).decode(), pem, cert.serial_number)


@lru_cache
def authority(name: str = "test authority") -> Authority:
    return Authority(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    until = now + valid
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, until) - timedelta(hours=1))
        .not_valid_after(until)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
