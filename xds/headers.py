"""The internal headers: what the proxy tells its companion, and what the companion tells the proxy.

Envoy writes the request headers below after it has removed every inbound header of the `x-sidegate-` family, so whatever
the companion finds in them was put there by the proxy. None of them reaches the upstream or the client.
"""

from __future__ import annotations

import re

PREFIX = "x-sidegate-"

OPERATION = "x-sidegate-operation"
"""`<digest> <service>/<version>/<operationId>` of the route that matched; `- -/-/-` if there is none."""

TRACE = "x-sidegate-trace"
"""The request's trace id, 32 hexadecimal digits: that of the access log, the spans and Envoy's own problem documents."""

CLIENT = "x-sidegate-client"
"""The client's address, as the proxy and its trusted hops know it; the one in the access log."""

CONSUMER = "x-sidegate-consumer"
"""The consumer of a verified key, user or certificate. The only one of these that the upstream gets: no client can send it."""

AUTH = "x-sidegate-auth"
"""What the proxy's program found for an operation whose credentials it judges: `pass`, or `lack` and the scopes."""

IDENTITY = "x-sidegate-identity"
"""Who asks: `key:<consumer>`, else `sub:<scheme>:<subject>`, else `addr:<address>`. There for every request behind the
identity filter, so that limits can count by it and a cache can be divided by it."""

CALLER = "x-sidegate-caller"
"""Who is counted: a key's consumer, else `client:` and the token's client, else `token:` and its scheme. There for requests of
deprecated operations, between the identity filter and the one behind it."""

LIMIT = "x-sidegate-limit"
"""The name of the limit that counts the request next; those that begin with it and a `-` say what is counted, and how. Taken
off behind the last limit, so that in Envoy's own 429 it names the one that refused."""

PEER_SUBJECT = "x-sidegate-peer-subject"
PEER_URI = "x-sidegate-peer-uri"
PEER_DNS = "x-sidegate-peer-dns"
PEER_FINGERPRINT = "x-sidegate-peer-fingerprint"
PEER = (PEER_SUBJECT, PEER_URI, PEER_DNS, PEER_FINGERPRINT)
"""What a verified client certificate says: its subject (RFC 2253), its URIs and DNS names (RFC 5280, subjectAltName) separated
by commas, and the SHA-256 of its DER in hexadecimal. There behind the filters of a listener that asks for certificates."""

LENGTH = "x-sidegate-length"
"""The client's Content-Length, if it sent one: that of a check is Envoy's, 0 for a body that is forwarded as it comes."""

CODE = "x-sidegate-code"
"""In the companion's answer: the problem's code. It goes to the access log, never to the client."""

DOWN = "x-sidegate-down-"
"""In the companion's 200: headers of this prefix are added to the client's response, whole name included."""

CLAIMS = "x-sidegate-claims-"
"""Prefix of the headers that hold a verified token's payload, one a scheme: base64url without padding (RFC 7515)."""


def claims_header(scheme: str) -> str:
    """The header that carries the verified claims of a security scheme.

    Header names have no case and few signs, scheme names have both, and two schemes must never share a header: a capital
    is written as `_` and its small letter, `_` as `__`, anything but letters, digits, `-` and `.` as `_.<hex>.`.
    """
    return CLAIMS + "".join(map(_escape, scheme))


def scheme_of(header: str) -> str:
    """The security scheme whose claims a header of the `CLAIMS` family carries: the inverse of `claims_header`."""
    return re.sub(r"_(?:\.([0-9a-f]+)\.|(.))", _unescape, header.removeprefix(CLAIMS))


def _unescape(found: re.Match[str]) -> str:
    code, char = found.groups()
    return chr(int(code, 16)) if code else char.upper()


def _escape(char: str) -> str:
    if char == "_":
        return "__"
    if not char.isascii() or not (char.isalnum() or char in "-."):
        return f"_.{ord(char):x}."
    return f"_{char.lower()}" if char.isupper() else char


CONNECTION = ("connection", "content-length", "content-type", "date", "keep-alive", "server", "transfer-encoding")
"""Headers of the companion's answer that belong to that answer itself."""

RESPONSE = (
    "cache-control",
    "content-security-policy",
    "deprecation",
    "etag",
    "expires",
    "last-modified",
    "link",
    "permissions-policy",
    "ratelimit",
    "ratelimit-policy",
    "referrer-policy",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "sunset",
    "vary",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
)
"""Headers that mean something in responses only. HTTP ext_authz has one list of headers for request and response; with a
200, these and those of the `x-sidegate-down-` family are added to the client's response, all others are set on the request
that goes to the upstream."""
