"""What the proxy takes of a request at all: hosts, headers and their numbers. The hardened profile, without Envoy."""

from __future__ import annotations

AUTHORITY = (
    r"(?:[A-Za-z0-9_~%-][A-Za-z0-9._~%-]*[A-Za-z0-9_~%-]|[A-Za-z0-9_~%-]|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
)
"""One host, without user and without a dot at its end, and a port that exists (RFC 3986, section 3.2)."""

HEADERS = 64
"""How many headers a request may have."""

HEADERS_KIB = 16
"""How large they may be together."""

MISLEADING = (
    "forwarded",
    "x-forwarded-client-cert",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-override-url",
    "x-rewrite-url",
)
"""Headers by which a client could make the upstream see another method, path, host or peer than the one that was judged."""

ADDRESSES = ("true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-forwarded-for", "x-real-ip")
"""Headers that name the client; without a trusted hop in front, the client wrote them."""
