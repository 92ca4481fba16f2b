"""Resource, Snapshot: serialised resources, versioned by hashes of their content: equal files, equal versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from xds.snapshot.references import Found, Reference, references, references_of_parts
from xds.snapshot.types import ORDER, RANK

_HEX = 16  # 64 bits: two resources of one name must differ, nobody gains by making them collide


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it is sent.

    `body` is the serialised message (the value of the `Any`), `version` a hash of type and body, `references` the type URL
    and name of each resource that it names, `opaque` the type URLs inside it that could not be looked into.
    """

    type_url: str
    name: str
    version: str
    body: bytes = field(repr=False)
    references: tuple[Reference, ...] = field(default=(), repr=False)
    opaque: tuple[str, ...] = field(default=(), repr=False)


def resource_of(type_url: str, name: str, body: bytes, found: Found | None = None) -> Resource:
    """A resource with its version and references, which are `found` if they are known already.

    Raises WireError if `body` is no serialised message.
    """
    found = found or references(type_url, body)
    opaque = tuple(sorted(found.opaque))
    return Resource(type_url, name, content_version(type_url, body), body, tuple(found.references), opaque)


def content_version(type_url: str, body: bytes) -> str:
    """The version of a resource with that content: 16 hexadecimal digits."""
    digest = sha256(type_url.encode() + b"\0")
    digest.update(body)
    return digest.hexdigest()[:_HEX]


def version_of(resources: Mapping[str, Resource]) -> str:
    """The version of a set of resources of one type: a hash over names and versions, in no matter what order."""
    digest = sha256()
    for name in sorted(resources):
        digest.update(f"{name}\0{resources[name].version}\0".encode())
    return digest.hexdigest()[:_HEX]


@dataclass(frozen=True)
class Snapshot:
    """Everything that the nodes of one group shall hold: type URL -> name -> resource."""

    resources: Mapping[str, Mapping[str, Resource]]

    @cached_property
    def _versions(self) -> dict[str, str]:
        return {url: version_of(named) for url, named in self.resources.items()}

    @cached_property
    def digest(self) -> str:
        """One version for the whole snapshot: 16 hexadecimal digits."""
        text = "\0".join(f"{url}\0{self._versions[url]}" for url in sorted(self._versions) if self.resources[url])
        return sha256(text.encode()).hexdigest()[:_HEX]

    def of(self, type_url: str) -> Mapping[str, Resource]:
        """The resources of a type by name; none at all for a type that the snapshot does not have."""
        return self.resources.get(type_url, _NONE)

    def version(self, type_url: str) -> str:
        """The version of all resources of a type: a hash over them."""
        known = self._versions.get(type_url)
        return version_of(_NONE) if known is None else known

    def consistent(self) -> tuple[str, ...]:
        """What is wrong with the snapshot as a whole, one sentence each; empty if nothing is. See `problems`."""
        from xds.snapshot.consistency import problems

        return problems(self)


_NONE: Mapping[str, Resource] = {}


def snapshot_of(
    messages: Mapping[str, Mapping[str, Any]],
    encode: Callable[[Any], bytes],
    previous: Snapshot | None = None,
) -> Snapshot:
    """Messages by type URL and name -> Snapshot, each message encoded and walked once.

    What did not change since `previous` is taken from there, so that one changed route configuration costs one walk.
    Types come out in the order of ADS and names sorted, whatever order they came in.
    """
    resources: dict[str, dict[str, Resource]] = {}
    for type_url in sorted(messages, key=lambda url: (RANK.get(url, len(ORDER)), url)):
        before = previous.of(type_url) if previous else _NONE
        named = resources[type_url] = {}
        for name in sorted(messages[type_url]):
            message = messages[type_url][name]
            body, same = encode(message), before.get(name)
            if same and same.body == body:
                named[name] = same
            else:
                named[name] = resource_of(type_url, name, body, _known_references(type_url, message))
    return Snapshot(resources)


def _known_references(type_url: str, message: Any) -> Found | None:
    """What a message refers to that was put together of parts, some of them met before."""
    from xds.envoy.composed import parts_of  # who has such a message has imported this

    parts = parts_of(message)
    return references_of_parts(type_url, parts) if parts else None


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the resources of one type, by name, sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def delta(old: Snapshot | Mapping[str, Mapping[str, str]], new: Snapshot) -> dict[str, Change]:
    """Type URL -> Change, for the types that changed. `old` is a snapshot, or versions by type URL and name."""
    before = versions(old) if isinstance(old, Snapshot) else old
    after = versions(new)
    changes = {}
    for url in sorted({*before, *after}, key=lambda u: (RANK.get(u, len(ORDER)), u)):
        was, is_ = before.get(url, {}), after.get(url, {})
        change = Change(
            added=tuple(sorted(is_.keys() - was.keys())),
            changed=tuple(sorted(n for n in is_.keys() & was.keys() if is_[n] != was[n])),
            removed=tuple(sorted(was.keys() - is_.keys())),
        )
        if change:
            changes[url] = change
    return changes


def versions(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    """Type URL -> name -> version."""
    return {url: {n: r.version for n, r in named.items()} for url, named in snapshot.resources.items()}
