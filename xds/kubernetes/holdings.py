"""lists and events of an API -> what is held of it, never older than what was held before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .objects import Source, Version


@dataclass(frozen=True, slots=True)
class Event:
    """A change that the API tells: `deleted`, or there and as `source` says; of a bookmark only the version."""

    version: Version
    source: Source | None = None
    deleted: bool = False


@dataclass(slots=True)
class Holdings:
    """Sources by namespace and name, and by scope (a namespace, or `*`) the last version that was seen.

    The API has several servers, and each may be behind: a list or an event that is older than what was seen is not taken.
    """

    sources: dict[tuple[str, str], Source] = field(default_factory=dict)
    seen: dict[str, Version] = field(default_factory=dict)

    def listed(self, scope: str, found: Iterable[Source], version: Version) -> bool | None:
        """Take a whole list. Returns whether anything differs; None if the list is older than what was seen."""
        if version < self.seen.get(scope, Version()):
            return None
        new = {source.key: source for source in found}
        old = {key: source for key, source in self.sources.items() if scope in ("*", key[0])}
        for key in old.keys() - new.keys():
            del self.sources[key]
        self.sources |= new
        self.seen[scope] = version
        return _changed(old, new)

    def happened(self, scope: str, event: Event) -> bool:
        """Take an event, if it is newer than what was seen. Returns whether anything differs."""
        if event.version <= self.seen.get(scope, Version()):
            return False
        self.seen[scope] = event.version
        source = event.source
        if source is None:
            return False
        if event.deleted:
            return self.sources.pop(source.key, None) is not None
        old = self.sources.get(source.key)
        self.sources[source.key] = source
        return old is None or _unlike(old, source)

    def narrowed(self, scopes: Iterable[str]) -> None:
        """Let go of what no scope holds any more."""
        wanted = frozenset(scopes)
        self.seen = {scope: version for scope, version in self.seen.items() if scope in wanted}
        if "*" not in wanted:
            self.sources = {key: source for key, source in self.sources.items() if key[0] in wanted}


def _changed(old: Mapping[tuple[str, str], Source], new: Mapping[tuple[str, str], Source]) -> bool:
    return old.keys() != new.keys() or any(_unlike(old[key], new[key]) for key in old)


def _unlike(old: Source, new: Source) -> bool:
    return (old.packs, old.created) != (new.packs, new.created)
