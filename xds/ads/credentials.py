"""Certificate files -> gRPC server credentials that demand clients' certificates and are read anew when the files change."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

log = logging.getLogger("sidegate")

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(slots=True)
class Files:
    """PEM files: the server's certificate chain, its key, and the authorities that clients' certificates are checked against.

    What cannot be used (half written, a key of another certificate) leaves what was read before in force, and is logged.
    """

    certificate: Path
    key: Path
    client_ca: Path
    _seen: Stamp = ()
    _said: str = field(default="", repr=False)

    def credentials(self) -> Any:
        """The server's credentials. Raises OSError or ValueError if the files cannot be used now."""
        import grpc

        self._seen = self._stamp()
        return grpc.dynamic_ssl_server_credentials(self._configuration(), self._changed, True)

    def _changed(self) -> Any:
        """Asked by gRPC at each handshake: the new configuration, or None if nothing changed."""
        try:
            now = self._stamp()
            if now == self._seen:
                return None
            made = self._configuration()
        except (OSError, ValueError) as error:
            if str(error) != self._said:
                log.error("new certificates cannot be used, those before stay in force: %s", error)
            self._said = str(error)
            return None
        self._seen, self._said = now, ""
        log.info("new certificates for %s", self.certificate)
        return made

    def _stamp(self) -> Stamp:
        stats = (path.stat() for path in (self.certificate, self.key, self.client_ca))
        return tuple((s.st_mtime_ns, s.st_size, s.st_ino) for s in stats)

    def _configuration(self) -> Any:
        import grpc

        certificate, key, ca = (path.read_bytes() for path in (self.certificate, self.key, self.client_ca))
        require_pair(certificate, key)
        require_authorities(ca)
        return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=ca)


def require_authorities(authorities: bytes) -> None:
    """Raise ValueError unless there is a certificate among them: gRPC would take nothing, and then let nobody in."""
    from cryptography import x509

    if not x509.load_pem_x509_certificates(authorities):
        raise ValueError("there is no certificate of an authority")


def require_pair(certificate: bytes, key: bytes) -> None:
    """Raise ValueError unless the key is the certificate's."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if load_pem_private_key(key, None).public_key() != x509.load_pem_x509_certificate(certificate).public_key():
        raise ValueError("the private key is not that of the certificate")
