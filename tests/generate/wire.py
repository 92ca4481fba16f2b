"""Parameters and bodies -> what goes over the wire, by style and media type; written from RFC 6570, not from the gateway."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from xds.model import Location, Parameter

BOUNDARY = "a-boundary-of-the-tests"


def plain(value: Any) -> str:
    """A scalar as text."""
    return value if isinstance(value, str) else json.dumps(value)


def is_flat(value: Any) -> bool:
    """Whether a style can write the value: no array or object within another."""
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return not any(isinstance(v, (list, dict)) for v in inner)


def parameter(found: Parameter, value: Any) -> str:
    """The text of a parameter; for a query `name=value` pairs, else the value alone.

    Raises `NotImplementedError` for a style that no contract of the corpus uses.
    """
    where = found.location
    write = (lambda v: plain(v)) if where is Location.HEADER else (lambda v: quote(plain(v), safe=""))
    if (found.style, where) not in (("simple", Location.PATH), ("simple", Location.HEADER), ("form", Location.QUERY)):
        raise NotImplementedError(f"{found.style} in {where}")
    name = quote(found.name, safe="") if where is Location.QUERY else ""
    if isinstance(value, dict):
        raise NotImplementedError("an object as a parameter")
    texts = [write(v) for v in value] if isinstance(value, list) else [write(value)]
    if where is not Location.QUERY:
        return ",".join(texts)
    return "&".join(f"{name}={t}" for t in texts) if found.explode else f"{name}={','.join(texts)}"


def body(media: str, value: Any) -> tuple[str, bytes]:
    """Content-Type and bytes."""
    if media.endswith("json"):
        return media, json.dumps(value, ensure_ascii=False).encode()
    if media == "application/x-www-form-urlencoded":
        return media, urlencode({name: plain(v) for name, v in value.items()}).encode()
    if media == "multipart/form-data":
        return f"{media}; boundary={BOUNDARY}", b"".join(_part(n, v) for n, v in value.items()) + _line(
            f"--{BOUNDARY}--"
        )
    if media == "application/octet-stream":
        return media, bytes(range(256))
    raise NotImplementedError(media)


def _part(name: str, value: Any) -> bytes:
    lines = [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{name}"']
    if isinstance(value, (dict, list)):
        lines += ["Content-Type: application/json"]
    text = json.dumps(value) if isinstance(value, (dict, list)) else plain(value)
    return b"".join(map(_line, [*lines, "", text]))


def _line(text: str) -> bytes:
    return text.encode() + b"\r\n"
