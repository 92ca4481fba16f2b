"""Listener, UpstreamTls, Secret: where a gateway listens, TLS on both its sides, and the key material for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from xds.place import Place


class ClientCertificate(StrEnum):
    """Whether a client must show a certificate, may, or is not asked. One that is shown must be of the listener's CA."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Secret:
    """Certificate chain and private key, or the certificates of authorities: then there is no key. All PEM.

    `names` are the DNS names of the certificate (RFC 5280, subjectAltName), lower case; `files` where it came from, by the
    part that it is. A `plain` one is a text instead, the client's secret of a login. Nothing here is ever shown.
    """

    name: str
    certificate: bytes = field(repr=False)
    key: bytes = field(default=b"", repr=False)
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Offered:
    """A certificate that a listener offers: the name of its secret, and whether it is for clients that name no other."""

    secret: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Tls:
    """How a listener speaks TLS. `client_ca` names the secret of the authorities for client certificates; `min_version` is
    `1.2` or `1.3`."""

    certificates: tuple[Offered, ...]
    client_ca: str | None = None
    client: ClientCertificate = ClientCertificate.NONE
    min_version: str = "1.2"


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """How the proxy speaks TLS with an upstream. `ca` names the secret of the authorities (None: those that the proxy's
    system trusts), `certificate` that of the proxy's own certificate; `server_name` is asked for and checked instead of the
    upstream's host."""

    ca: str | None = None
    certificate: str | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Hsts:
    """HTTP Strict Transport Security (RFC 6797). `max_age` is in seconds."""

    max_age: int
    subdomains: bool = False
    preload: bool = False

    @property
    def header(self) -> str:
        """The value of `strict-transport-security`."""
        parts = [f"max-age={self.max_age}"]
        parts += ["includeSubDomains"] if self.subdomains else []
        return "; ".join([*parts, "preload"] if self.preload else parts)


@dataclass(frozen=True, slots=True)
class Listener:
    """An address on which the gateway is reached.

    `hosts` are those that are served there, lower case, none meaning all; `redirect` names the listener with TLS to which
    everything is sent; `port_shown` is the port by which clients reach it, where something before it translates.
    """

    name: str
    host: str
    port: int
    tls: Tls | None = None
    hosts: tuple[str, ...] = ()
    redirect: str | None = None
    http3: bool = False
    hsts: Hsts | None = None
    port_shown: int = 0
    place: Place = Place("")

    @property
    def public_port(self) -> int:
        """The port that clients use."""
        return self.port_shown or self.port


def covers(pattern: str, host: str) -> bool:
    """Whether a certificate's name is for a host: a leading `*` is one label (RFC 6125, section 6.4.3). `host` may itself be
    a wildcard, which only the same wildcard covers."""
    if pattern.startswith("*."):
        label, _, rest = host.partition(".")
        return rest == pattern[2:] and bool(label)
    return pattern == host
