"""Routed -> what an answer in the place of the service's 5xx says beside its body.

Envoy gives it past all filters: those that tell pages of other origins what they may read, and clients what is going away, do
not see it. So their words travel with the route, beside its texts, and the mapper that replaces the body adds them.
"""

from __future__ import annotations

from collections.abc import Iterator

from envoy_data_plane.envoy.config.core.v3 import HeaderValueOption

from xds.envoy.filters.announced import fields
from xds.envoy.filters.context import NOSNIFF
from xds.envoy.filters.cors import FAMILY
from xds.envoy.routed import Routed
from xds.envoy.typed import overwrite
from xds.native.cors import cors_of

_ORIGINS = "origins"
_CORS = ("credentials", "expose")
_TOLD = ("vary", "deprecation", "sunset", "link")


def beside(routed: Routed) -> dict[str, str]:
    """What the route has to say, by the names that `headers` reads."""
    found = _joined(routed)
    if (own := cors_of(routed.operation)) is None:
        return found
    found["vary"] = ", ".join(filter(None, (found.get("vary"), "origin")))
    told = {_ORIGINS: f"^({own.allowed})$", "credentials": "true" * own.credentials, "expose": ", ".join(own.expose)}
    return found | {name: text for name, text in told.items() if text}


def _joined(routed: Routed) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields(routed):
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def headers(text: str) -> Iterator[HeaderValueOption]:
    """The headers of a replaced answer; `text` is the CEL expression of what the route says of it. Empty ones are left out."""
    origin = "request.headers['origin']"
    asked = f"'{_ORIGINS}' in {text} && 'origin' in request.headers && {origin}.matches({text}['{_ORIGINS}'])"
    yield NOSNIFF
    yield overwrite(f"{FAMILY}allow-origin", f"%CEL({asked} ? {origin} : '')%")
    for name, header in zip(_CORS, ("allow-credentials", "expose-headers"), strict=True):
        yield overwrite(f"{FAMILY}{header}", f"%CEL({asked} && '{name}' in {text} ? {text}['{name}'] : '')%")
    for name in _TOLD:
        yield overwrite(name, f"%CEL('{name}' in {text} ? {text}['{name}'] : '')%")
