"""Profile: the facts of one data plane, which no contract knows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import NamedTuple

from xds.hardened import HEADERS, HEADERS_KIB


class Collector(NamedTuple):
    """An OTLP/HTTP endpoint for traces, `scheme://host:port/path`."""

    scheme: str
    host: str
    port: int
    path: str = "/v1/traces"


BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep the certificates of the authorities they trust: Debian and Alpine, Fedora, macOS and the BSDs."""


def system_authorities() -> str:
    """The first of `BUNDLES` that is there; the first of all if none is."""
    return next((path for path in BUNDLES if os.path.exists(path)), BUNDLES[0])


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take, with the hardened defaults. Times in seconds, sizes in bytes unless the name says more.

    `body` holds for operations whose contract names no other; `companion_requests` is how many requests may wait for
    the companion at once before further ones are refused.
    """

    headers_kib: int = HEADERS_KIB
    headers: int = HEADERS
    body: int = 1 << 20
    headers_s: float = 10
    request_s: float = 60
    idle_s: float = 60
    connection_idle_s: float = 300
    upstream_s: float = 30
    connect_s: float = 1
    streams: int = 100
    stream_window: int = 64 << 10
    connection_window: int = 1 << 20
    buffer: int = 32 << 10
    upstream_requests: int = 1024
    companion_requests: int = 256


@dataclass(frozen=True, slots=True)
class Profile:
    """One data plane: where it listens, where its companion (host and port, or a socket's path) and its collector are.

    `trusted_hops` is how many proxies before this one are trusted to append to `x-forwarded-for`. `access_log` is a file's
    path, True for standard output, False for none. Without `otlp` no span leaves the proxy, and trace ids are still
    made. `authorities` is the file of certificates that https upstreams are checked against, on the proxy's machine; `cache`
    the folder there for kept answers, which no other proxy may use.
    """

    listen: tuple[str, int]
    companion: tuple[str, int] | str
    otlp: Collector | None = None
    node: str = "sidegate"
    trusted_hops: int = 0
    access_log: str | bool = True
    companion_timeout_s: float = 1.0
    sampling_percent: float = 100.0
    authorities: str = field(default_factory=system_authorities)
    cache: str = "/dev/shm/sidegate-cache"
    limits: Limits = field(default_factory=Limits)

    @property
    def companion_url(self) -> str:
        """The URL of the companion; that of a socket has a host which nobody looks up."""
        return "http://companion" if isinstance(self.companion, str) else "http://{}:{}".format(*self.companion)
