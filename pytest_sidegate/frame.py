"""method, url, headers, body -> Sent: a request as it comes out of the proxy's codec, and as the companion is shown it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pytest_sidegate.asked import Asked
from pytest_sidegate.credentials import without_keys
from pytest_sidegate.target import METHODS, Refused, Target, target_of
from sidecar.message import Request
from xds import headers as names
from xds.hardened import ADDRESSES, HEADERS, HEADERS_KIB, MISLEADING
from xds.model import Scheme

HOST = "localhost"
"""The host of a request that names none."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_UNSEEN = frozenset(
    (*MISLEADING, *ADDRESSES, "x-client-trace-id", "host", "connection", "upgrade", "transfer-encoding")
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that the proxy takes. `headers` are lower case, without what no client may say; `length` is what it announces;
    `address` the client's."""

    method: str
    target: Target
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: int | None
    address: str

    @property
    def named(self) -> Mapping[str, str]:
        """The headers by name; the values of several in one, as HTTP has it (RFC 9110, section 5.2; of cookies RFC 9113,
        section 8.2.3)."""
        found: dict[str, str] = {}
        for name, value in self.headers:
            joint = "; " if name == "cookie" else ","
            found[name] = f"{found[name]}{joint}{value}" if name in found else value
        return found

    def request(self, asked: Asked, schemes: Mapping[str, Scheme]) -> Request:
        """What the companion is shown: no keys that the service does not get, and of a body that streams only its length."""
        off, queries, cookies = without_keys(asked.operation.security, schemes)
        kept = tuple(_shown(h, cookies) for h in self.named.items() if h[0] not in off)
        added = [("host", self.target.authority), ("x-forwarded-for", self.address), ("x-forwarded-proto", "http")]
        added += [("x-request-id", str(uuid.uuid4()))] if "x-request-id" not in self.named else []
        body = b"" if asked.streamed else self.body
        length = len(body) if body else self.length
        announced = (("content-length", str(length)),) if length is not None else ()
        query = _without(self.target.query, queries) if queries else self.target.query
        return Request(self.method, self.target.path, query or None, (*added, *kept, *announced), body)


def sent_of(
    method: str, url: str, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes, address: str
) -> Sent:
    """Read a request. Raises `Refused`, with the code of the refusal if it is not `bad-request`."""
    pairs = [(name, str(value)) for name, value in (headers.items() if isinstance(headers, Mapping) else headers)]
    if method not in METHODS or not all(_NAME.fullmatch(n) and _VALUE.fullmatch(v) for n, v in pairs):
        raise Refused
    if len(pairs) + 4 > HEADERS or sum(len(n) + len(v) + 4 for n, v in pairs) > HEADERS_KIB << 10:
        raise Refused("headers-too-large")
    low = [(name.lower(), value.strip(" \t")) for name, value in pairs]
    hosts = [value for name, value in low if name == "host"]
    if len(hosts) > 1:
        raise Refused
    at = urlsplit(url).netloc if url.startswith(("http://", "https://")) else ""
    target = target_of(url, hosts[0] if hosts else at or HOST)
    kept = [h for h in low if h[0] not in _UNSEEN and not h[0].startswith((names.PREFIX, "x-envoy-"))]
    said = [value for name, value in kept if name == "content-length"]
    streams = any(name == "transfer-encoding" for name, _ in low)
    length = None if streams else int(said[0]) if said and said[0].isdigit() else _length(method, body)
    return Sent(method, target, tuple(h for h in kept if h[0] != "content-length"), body, length, address)


def _length(method: str, body: bytes) -> int | None:
    """What a client announces that sends a body, or with a method that expects one (RFC 9110, section 8.6)."""
    return len(body) if body or method in ("POST", "PUT", "PATCH") else None


def _shown(header: tuple[str, str], cookies: frozenset[str]) -> tuple[str, str]:
    if header[0] != "cookie" or not cookies:
        return header
    kept = (pair.strip() for pair in header[1].split(";"))
    return "cookie", "; ".join(pair for pair in kept if pair.partition("=")[0].strip() not in cookies)


def _without(query: str | None, names_off: frozenset[str]) -> str:
    from urllib.parse import unquote_plus

    pairs = (query or "").split("&")
    return "&".join(pair for pair in pairs if unquote_plus(pair.partition("=")[0]) not in names_off)
