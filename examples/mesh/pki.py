"""Names -> certificates of one authority, as a cluster's issuer gives them to service accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=1)


class Authority:
    """Lives as long as the mesh; its key is in memory only. `ca.crt` and each pair are written into `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._key, self._name = folder, ec.generate_private_key(ec.SECP256R1()), _named("mesh authority")
        folder.mkdir(parents=True, exist_ok=True)
        made = self._builder(self._name, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        (folder / "ca.crt").write_bytes(made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str) -> None:
        """`NAME.crt` and `NAME.key`: a service account's SPIFFE id, and the name for a server on this machine."""
        key = ec.generate_private_key(ec.SECP256R1())
        identity = x509.UniformResourceIdentifier(f"spiffe://mesh.test/ns/shop/sa/{name}")
        names = x509.SubjectAlternativeName([identity, x509.DNSName(f"{name}.mesh.test")])
        made = self._builder(_named(name), key.public_key()).add_extension(names, False).sign(self._key, SHA256())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for ending, data in (("key", pem), ("crt", made.public_bytes(Encoding.PEM))):
            beside = self.folder / f".{name}.{ending}"
            beside.touch(0o600)
            beside.write_bytes(data)
            beside.replace(self.folder / f"{name}.{ending}")

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + LIFETIME)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
