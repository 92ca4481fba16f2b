"""Versions -> the encoded entries of a virtual host's prefix map, those that did not change kept from the last time.

What an entry holds is a function of its operations, of which of their bodies stream, of their versions' names and of how
their upstreams share requests, and of the gateway's surroundings; and of the versions' digests, which change with every edit.
So entries are known by the identity of their operations (an operation that did not change is the same object from one
compilation to the next), and kept in the pieces between the digests. What the last gateway did not have is let go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_

from envoy_data_plane.xds.type.matcher.v3 import MatcherMatcherTreeMatchMap, MatcherOnMatch

from xds.envoy import names
from xds.envoy.codec import encode
from xds.envoy.composed import Part, Token, encoded
from xds.envoy.make import maker
from xds.envoy.matcher import Leaf, by_prefix, on, tree
from xds.envoy.templates import Pattern, matrix_names, pattern_of
from xds.model import Operation, Version
from xds.streaming import streams, unread

Offer = tuple[Version, Operation]


@dataclass(frozen=True, slots=True)
class Methods:
    """What is done with a path, given its operations by method; and, where no template that matches has the version that a
    request names, with what remains. Functions of what is said above."""

    path: Callable[[Sequence[Offer]], MatcherOnMatch]
    remainder: Callable[[Sequence[Offer]], MatcherOnMatch | None]


Row = tuple[Pattern, tuple[int, ...]]
"""A path and its operations, by their places among all of the host, in the order of their methods."""

_map = maker(MatcherMatcherTreeMatchMap)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Bytes that hold digests: the pieces between them, and of which version each digest is."""

    pieces: tuple[bytes, ...]
    versions: tuple[int, ...]
    single: bool

    def under(self, digests: Sequence[bytes]) -> bytes:
        if self.single:
            return digests[self.versions[0]].join(self.pieces)
        held = [digests[version] + piece for version, piece in zip(self.versions, self.pieces[1:], strict=True)]
        return b"".join((self.pieces[0], *held))


@dataclass(frozen=True, slots=True)
class _Entry:
    """What was encoded last: for these operations of these versions, of which some stream."""

    operations: tuple[Operation, ...]
    versions: tuple[int, ...]
    unread: tuple[tuple[int, Operation, bool], ...]
    pieces: _Pieces
    token: Token = field(default_factory=Token)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which paths there are below each prefix, and what that follows from."""

    operations: tuple[Operation, ...] = ()
    lengths: tuple[int, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    methods: tuple[str, ...] = ()
    rows: Mapping[str, list[Row]] = field(default_factory=dict)


@dataclass(slots=True)
class Kept:
    """The entries of one virtual host, for versions of always the same names and upstreams in the same order."""

    layout: _Layout = field(default_factory=_Layout)
    groups: dict[str, _Entry] = field(default_factory=dict)
    paths: dict[tuple[str, ...], _Entry] = field(default_factory=dict)

    def entries(self, versions: Sequence[Version], methods: Methods) -> list[Part]:
        """The entries of the map, each an encoded `MatcherMatcherTreeMatchMap` that has one."""
        self._lay_out(versions)
        return _Lowering(self, versions, methods).parts()

    def _lay_out(self, versions: Sequence[Version]) -> None:
        """The layout stays as long as paths and methods do."""
        operations = tuple([operation for version in versions for operation in version.operations])
        lengths, old = tuple(len(version.operations) for version in versions), self.layout
        patterns, methods = _patterns(operations, old), tuple([o.method for o in operations])
        same = lengths == old.lengths and methods == old.methods and patterns == old.patterns
        rows = old.rows if same else layout(patterns, methods)
        self.layout = _Layout(operations, lengths, patterns, methods, rows)
        if not same:
            present = {pattern.segments for below in rows.values() for pattern, _ in below}
            self.groups = {prefix: entry for prefix, entry in self.groups.items() if prefix in rows}
            self.paths = {path: entry for path, entry in self.paths.items() if path in present}


def _patterns(operations: tuple[Operation, ...], old: _Layout) -> tuple[Pattern, ...]:
    """The pattern of each operation; most are where they were."""
    if len(operations) == len(old.operations):
        beside = zip(operations, old.operations, old.patterns, strict=True)
        return tuple([pattern if o is was else _pattern(o) for o, was, pattern in beside])
    known = {id(was): pattern for was, pattern in zip(old.operations, old.patterns, strict=True)}
    return tuple([known.get(id(o)) or _pattern(o) for o in operations])


def _pattern(operation: Operation) -> Pattern:
    return pattern_of(operation.path, matrix_names(operation))


def layout(patterns: Sequence[Pattern], methods: Sequence[str]) -> dict[str, list[Row]]:
    """The paths below each prefix; templates that differ only in the names of their variables are one path."""
    found: dict[tuple[str, ...], tuple[Pattern, list[int]]] = {}
    for place, pattern in enumerate(patterns):
        found.setdefault(pattern.segments, (pattern, []))[1].append(place)
    rows = [(pattern, tuple(sorted(places, key=methods.__getitem__))) for pattern, places in found.values()]
    return by_prefix(sorted(rows, key=lambda row: row[0].rank), lambda row: row[0])


def groups(versions: Sequence[Version], methods: Methods) -> dict[str, MatcherOnMatch]:
    """The map itself, made of nothing that was kept."""
    offers = [(version, operation) for version in versions for operation in version.operations]
    rows = layout([_pattern(operation) for _, operation in offers], [operation.method for _, operation in offers])
    made = {
        prefix: [(pattern, [offers[place] for place in places]) for pattern, places in below]
        for prefix, below in rows.items()
    }
    return {
        prefix: on(tree([*(Leaf(p, methods.path(each)) for p, each in below), *remaining(below, methods)]))
        for prefix, below in made.items()
    }


def remaining(below: Iterable[tuple[Pattern, Sequence[Offer]]], methods: Methods) -> Iterator[Leaf]:
    """The leaves behind all others: they are reached where those that match have not the version that is meant."""
    for pattern, offers in below:
        if (action := methods.remainder(offers)) is not None:
            yield Leaf(pattern, action)


class _Lowering:
    """One use of what is kept."""

    def __init__(self, kept: Kept, versions: Sequence[Version], methods: Methods) -> None:
        self.kept, self.versions, self.methods = kept, versions, methods
        self.operations = kept.layout.operations
        self.owners = [number for number, version in enumerate(versions) for _ in version.operations]
        self.digests = [version.digest.encode() for version in versions]
        self.usual = all(len(digest) == _DIGEST for digest in self.digests)  # others would change lengths around them

    def parts(self) -> list[Part]:
        return [self._part(prefix, rows) for prefix, rows in self.kept.layout.rows.items()]

    def _part(self, prefix: str, rows: list[Row]) -> Part:
        places = rows[0][1] if len(rows) == 1 else tuple([place for _, places in rows for place in places])
        known = self.kept.groups.get(prefix)
        if known is not None and self._holds(known, places):
            return Part(known.token, known.pieces.under(self.digests))
        leaves = [Leaf(pattern, self._path(pattern, below, len(rows) > 1)) for pattern, below in rows]
        leaves += remaining([(pattern, self._offers(below)) for pattern, below in rows], self.methods)
        group = on(tree(leaves))
        data = encode(_map(map={prefix: group}))
        entry = self._entry(places, data)
        if entry is None:
            self.kept.groups.pop(prefix, None)
            return Part(Token(), data)
        self.kept.groups[prefix] = entry
        return Part(entry.token, data)

    def _path(self, pattern: Pattern, places: tuple[int, ...], among: bool) -> MatcherOnMatch:
        """What is done with a path. It is kept by itself if it is one of many below its prefix."""
        if not among:
            return self._made(places)
        known = self.kept.paths.get(pattern.segments)
        if known is not None and self._holds(known, places):
            return encoded(MatcherOnMatch, known.pieces.under(self.digests))
        made = self._made(places)
        entry = self._entry(places, encode(made))
        if entry is None:
            self.kept.paths.pop(pattern.segments, None)
        else:
            self.kept.paths[pattern.segments] = entry
        return made

    def _made(self, places: tuple[int, ...]) -> MatcherOnMatch:
        return self.methods.path(self._offers(places))

    def _offers(self, places: tuple[int, ...]) -> list[Offer]:
        return [(self.versions[self.owners[place]], self.operations[place]) for place in places]

    def _holds(self, entry: _Entry, places: tuple[int, ...]) -> bool:
        """Whether an entry is of these operations, and of no other versions', and the same of their bodies stream."""
        if not self.usual or len(entry.operations) != len(places):
            return False
        operations, owners = self.operations, self.owners
        if not all(map(is_, entry.operations, [operations[place] for place in places])):
            return False
        if len(self.versions) > 1 and entry.versions != tuple([owners[place] for place in places]):
            return False
        return all(self._streams(number, operation) is was for number, operation, was in entry.unread)

    def _streams(self, version: int, operation: Operation) -> bool:
        return operation.body is not None and streams(operation.body, self.versions[version].schemas)

    def _entry(self, places: tuple[int, ...], data: bytes) -> _Entry | None:
        operations = tuple(self.operations[place] for place in places)
        owners = tuple(self.owners[place] for place in places)
        before = tuple(
            [
                names.judged(self.versions[owner], o)[:-_DIGEST].encode()
                for owner, o in zip(owners, operations, strict=True)
            ]
        )
        usual = self.usual and not any(map(_misleading, operations))
        pieces = _split(data, owners, self.digests, before) if usual else None
        if pieces is None:
            return None
        unheard = tuple(
            (owner, o, self._streams(owner, o))
            for owner, o in zip(owners, operations, strict=True)
            if o.body is not None and unread(o.body)
        )
        return _Entry(operations, owners, unheard, pieces)


def _split(data: bytes, owners: tuple[int, ...], digests: Sequence[bytes], before: tuple[bytes, ...]) -> _Pieces | None:
    """The pieces between digests; None if one is of unusual length, or shared, or stands anywhere but in metadata and, behind
    what is `before` it there, in routes' names."""
    by_digest = {digests[owner]: owner for owner in owners}
    if len(by_digest) != len(set(owners)) or any(len(digest) != _DIGEST for digest in by_digest):
        return None
    pieces = re.split(b"(%s)" % b"|".join(map(re.escape, by_digest)), data)
    told, lengths = set(before), sorted({len(name) for name in before})  # each name by itself would be their square
    if not all(piece.endswith(_BEFORE) or any(piece[-n:] in told for n in lengths) for piece in pieces[:-1:2]):
        return None
    versions = tuple([by_digest[digest] for digest in pieces[1::2]])
    return _Pieces(tuple(pieces[::2]), versions, bool(versions) and len(by_digest) == 1)


_DIGEST = 16
_BEFORE = b"\n\x06digest\x12\x12\x1a\x10"
"""What is before a digest in metadata: the name of a Struct's member, and that its value is a text of 16 bytes."""


def _misleading(operation: Operation) -> bool:
    """Whether a text could hold what looks like metadata; identifiers are printable (OpenAPI puts no such limit on paths)."""
    return "\x1a" in operation.path.text
