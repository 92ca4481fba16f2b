"""A stage's cache -> `cache`; what AWS shares among callers, only operations that ask for nothing share here."""

from __future__ import annotations

import re

from xds.importing.authorizers import Asked
from xds.importing.export import Method
from xds.importing.keys import Keys, put
from xds.importing.part import Notes
from xds.importing.stages import Stage

_KEY = re.compile(r"(?:method|integration)\.request\.header\.(.+)")
_DEFAULT_S = 300.0


def cache(stage: Stage | None, method: Method, wanted: Asked, keys: Keys, notes: Notes) -> None:
    """Set `cache` where the stage has a cluster and the method's settings, or those of all, enable it."""
    if stage is None or stage.part.get("cacheClusterEnabled").value is not True or "mock" in keys:
        return
    own, every = stage.setting(method), stage.setting(None)
    part = own if "cachingEnabled" in own.members else every
    if part.get("cachingEnabled").value is not True:
        return
    if method.verb != "get":
        if part is own:
            help_ = "let it be a GET, or let the service keep its answers"
            notes.lost(own, f"{method.where}: answers to a {method.verb.upper()} are not kept", help_)
        return
    ttl = own.number("cacheTtlInSeconds")
    ttl = every.number("cacheTtlInSeconds") if ttl is None else ttl
    ttl = _DEFAULT_S if ttl is None else ttl
    if ttl < 1:
        return
    public = not wanted.security and not wanted.refused
    value = {"ttl": f"{int(ttl)}s", **({"shared": True} if public else {})}
    if vary := _vary(method):
        value["vary"] = vary
    if not put(keys, "cache", value, notes, part, f"{method.where}: the cache") or public:
        return
    notes.differs(
        part,
        f"{method.where}: AWS gives one caller what another one got; here answers are kept for each identity",
        "`shared: true` if an answer is the same for everybody who may ask",
    )


def _vary(method: Method) -> list[str]:
    """Headers among the cache's keys. Path and query are always part of the key here."""
    listed = method.integration.get("cacheKeyParameters").texts()
    names = [found[1].lower() for text in listed if (found := _KEY.fullmatch(text))]
    return sorted({name for name in names if name not in ("authorization", "cookie", "host", "range")})
