"""A request's target and Host -> the path that is judged and forwarded, as the proxy normalises it; or why it is refused.

Written from what a real Envoy makes of every byte in a path, plain and escaped (`tests/plugin/test_agreement.py` asks one):
dot segments, backslashes and doubled slashes go, needless escapes go, what a path cannot hold is escaped, an escaped slash
is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from xds.hardened import AUTHORITY

METHODS = frozenset(
    (
        *(
            "ACL",
            "BIND",
            "CHECKOUT",
            "COPY",
            "DELETE",
            "GET",
            "HEAD",
            "LINK",
            "LOCK",
            "MERGE",
            "MKACTIVITY",
            "MKCALENDAR",
        ),
        *("MKCOL", "MOVE", "MSEARCH", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT"),
        *("REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE"),
    )
)
"""What Envoy's HTTP/1 codec knows, without CONNECT, which no route takes."""

_UNESCAPED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPED = frozenset('"<>^`{|}')
_VISIBLE = re.compile(r"[!-~]+")
_REFUSED = re.compile(r"%(?:2f|5c|00)", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_HOST = re.compile(AUTHORITY)


class Refused(Exception):
    """The request is not one that the proxy takes at all."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `host` in small letters without its port, `authority` as it was sent, the normalised `path`,
    and `query`, None without a question mark."""

    host: str
    authority: str
    path: str
    query: str | None


def target_of(text: str, authority: str) -> Target:
    """Read a target (RFC 9112, section 3.2: `/path?query`, or a whole `http://` URL). Raises `Refused`."""
    if not _VISIBLE.fullmatch(text) or "#" in text:
        raise Refused
    if text.startswith(("http://", "https://")):
        try:
            authority, text = urlsplit(text).netloc, "/" + text.split("/", 3)[3] if text.count("/") > 2 else "/"
        except ValueError:
            raise Refused from None
    if not text.startswith("/") or not _HOST.fullmatch(authority):
        raise Refused
    path, mark, query = text.partition("?")
    return Target(_without_port(authority).lower(), authority, normalized(path), query if mark else None)


def normalized(path: str) -> str:
    """The path without dot segments, backslashes, doubled slashes and needless escapes. Raises `Refused`."""
    if _REFUSED.search(path):
        raise Refused
    plain = _ESCAPE.sub(_unescaped, path.replace("\\", "/"))
    kept = "".join(f"%{ord(char):02X}" if char in _ESCAPED else char for char in plain)
    return re.sub("/{2,}", "/", _without_dots(kept))


def _unescaped(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNESCAPED else found[0]


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4; an empty segment is one that `..` takes away."""
    out: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment == "..":
            out = out[:-1]
        elif segment != ".":
            out.append(segment)
            continue
        if last:
            out.append("")
    return "/" + "/".join(out)


def _without_port(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority
