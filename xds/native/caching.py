"""`cache: {ttl: 60s, shared: true}` -> how long the proxy answers for the service, and whom (RFC 9111)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import DURATION, seconds
from xds.native.streams import lasts

if TYPE_CHECKING:
    from xds.model import Operation

METHODS = ("GET", "HEAD")

_UNKEYED = frozenset(("accept-encoding", "authorization", "connection", "cookie", "host", "range", "set-cookie"))
"""Headers that divide by credentials, by connection, or not at all: what is kept is not encoded."""


@dataclass(frozen=True, slots=True)
class Cache:
    """How answers are kept. `ttl` is in seconds; `vary` names the request headers that tell answers apart, in lower case.

    Unless `shared`, an answer is only ever given to the identity that got it first.
    """

    ttl: int
    shared: bool = False
    vary: tuple[str, ...] = ()


def cache_of(operation: Operation) -> Cache | None:
    """An operation's cache, or None: what cannot be kept has none, whatever holds around it."""
    found = operation.native.cache
    return found if found is not None and _unkept(operation) is None else None


def _unkept(operation: Operation) -> str | None:
    """Why nothing of an operation can be kept: what lasts would be held back until it ends."""
    if operation.method not in METHODS:
        return f"the answer to a {operation.method} is not kept"
    if operation.native.redirect is not None:
        return "a redirect is not kept: the gateway answers by itself"
    return "an answer that lasts, or changes protocols, is not kept" if lasts(operation) else None


def _read(value: Mapping[str, Any]) -> Cache:
    vary = tuple(sorted({name.lower() for name in value.get("vary", ())}))
    return Cache(int(seconds(value["ttl"])), value.get("shared", False), vary)


def _check(value: Cache, operation: Operation, site: Site) -> Iterator[Problem]:
    own = operation.settings["cache"].place.pointer.startswith(operation.place.pointer)
    if own and (why := _unkept(operation)):
        yield Problem(why, help="take it off: only whole answers of the service to GET and HEAD are")
    if not value.ttl:
        yield Problem("a cache whose answers live for less than a second keeps none", "/ttl", "leave `cache` out")
    for name in value.vary:
        if name in _UNKEYED or name.startswith("x-sidegate-"):
            help_ = "without `shared: true` answers are kept by identity already"
            yield Problem(f"answers cannot be told apart by `{name}`", "/vary", help_)


def _check_all(value: Cache, held: Sequence[Operation], near: Sequence[Operation]) -> Iterator[Problem]:
    own = held[0].settings["cache"].place.pointer.startswith(held[0].place.pointer)
    if not own and not any(cache_of(operation) for operation in held):
        help_ = "take it off, or put it where it holds for a GET or HEAD"
        yield Problem("no operation that it holds for has answers that can be kept", help=help_)


CACHE = Feature(
    key="cache",
    field="cache",
    schema={
        "type": "object",
        "description": "how long the proxy keeps answers to GET and HEAD; each request is still judged",
        "$comment": "Envoy's cache gives nothing stale out and cannot purge: an answer lives for at most its `ttl`",
        "required": ["ttl"],
        "additionalProperties": False,
        "properties": {
            "ttl": {
                **DURATION,
                "description": "how long an answer lives, also after a PUT or DELETE, if the service does not say less: 60s",
            },
            "shared": {"type": "boolean", "description": "whether one identity may be given what another one got"},
            "vary": {
                "type": "array",
                "uniqueItems": True,
                "maxItems": 8,
                "items": {"type": "string", "pattern": "^[A-Za-z0-9-]+$"},
                "description": "the request headers that tell answers apart: [accept-language]",
            },
        },
    },
    read=_read,
    check=_check,
    check_all=_check_all,
    said=lambda value: (
        f"answers are kept for {value.ttl} s "
        + ("for everybody" if value.shared else "for each identity")
        + (f", apart by {', '.join(value.vary)}" if value.vary else "")
        + " (Envoy's cache_v2 filter, behind everything that judges)"
    ),
)


@dataclass(frozen=True, slots=True)
class Store:
    """Where answers are kept, `cache` in sidegate.yaml: the bound of all of them and of one in bytes, and the folder.

    Without a `path` it is the proxy's own (`Profile.cache`); a folder in tmpfs keeps them in memory.
    """

    size: int = 64 << 20
    entry: int = 1 << 20
    path: str = ""
