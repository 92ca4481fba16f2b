"""Certificate files -> which are unreadable, of another key, expired or soon so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from xds.doctor.finding import Finding, SetUp
from xds.doctor.project import Read
from xds.settings.tls import ends_soon


def certificates(setup: SetUp, project: Read) -> Iterator[Finding]:
    """Those for the shared control plane, then those that the settings name."""
    for path in filter(None, (setup.ca, setup.certificate)):
        yield from _file(path)
    if setup.certificate and setup.key:
        yield from _pair(setup.certificate, setup.key)
    for secret in project.compilation.gateway.secrets if project.compilation else ():
        if not secret.plain:
            yield from _expiry(secret.files[0] if secret.files else secret.name, secret.certificate)


def _file(path: Path) -> Iterator[Finding]:
    try:
        yield from _expiry(str(path), path.read_bytes())
    except OSError as error:
        what = f"{path} cannot be read: {(error.strerror or str(error)).lower()}"
        yield Finding("certificate-unreadable", what, "mount it, or correct the flag")


def _expiry(name: str, pem: bytes) -> Iterator[Finding]:
    from cryptography import x509

    try:
        first = min(x509.load_pem_x509_certificates(pem), key=lambda each: each.not_valid_after_utc)
    except ValueError:
        yield Finding("certificate-unreadable", f"{name} holds no certificate in PEM", "write one, with its chain")
        return
    until, now = first.not_valid_after_utc, datetime.now(UTC)
    left = until - now
    if left <= timedelta():
        yield Finding("certificate-expired", f"{name} has expired: {until:%Y-%m-%d %H:%M} UTC", "renew it")
    elif ends_soon(first, now):
        what = f"{name} expires in {left.days} days: {until:%Y-%m-%d %H:%M} UTC"
        yield Finding("certificate-expiring", what, "renew it; it is read anew without a restart", mild=True)


def _pair(certificate: Path, key: Path) -> Iterator[Finding]:
    from xds.ads.credentials import require_pair

    try:
        require_pair(certificate.read_bytes(), key.read_bytes())
    except OSError as error:
        what = f"{key} cannot be read: {(error.strerror or str(error)).lower()}"
        yield Finding("certificate-unreadable", what, "mount it, or correct the flag")
    except (ValueError, TypeError) as error:
        yield Finding("certificate-mismatch", f"{key}: {error}", f"write the key that {certificate} was made for")
