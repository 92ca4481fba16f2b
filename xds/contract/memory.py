"""What the compilation of a contract leaves for the next one: paths that have not changed are not compiled again.

Whether to reuse is decided by content, never by time. The document outside `paths` must be the same; then each path item
keeps its operations, findings and lowered schemas if its own value is the same and so is every file that it leads to, through
any number of references. What is no longer reached is let go at the end of each compilation.
"""

from __future__ import annotations

import marshal
from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from xds.model import Operation, PathTemplate, Place, Schemas
from xds.source.pointer import join

from .library import Library, Loaded
from .node import Node
from .operations import Surroundings
from .report import Finding, Report
from .rules import overlaps
from .rules.identifiers import Named
from .schemas import Lowered
from .security import SecurityScheme

_T = TypeVar("_T")
_FEW = 64
_NONE: Any = object()


@dataclass(frozen=True, slots=True)
class Item:
    """A compiled path item. `schemas` are the URIs that its operations reach, `files` those that its references led to.

    `texts` are its key and its paths, `asked` the security schemes of which it asks for scopes; `plain` says that its
    operations are called what the contract calls them, unless another is called the same.
    """

    key: str
    value: Any
    place: Place
    operations: tuple[Operation, ...]
    findings: tuple[Finding, ...]
    schemas: tuple[str, ...]
    silent: tuple[Place, ...]
    files: frozenset[str]
    texts: tuple[str, tuple[str, ...]]
    asked: frozenset[str]
    plain: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What the document says outside `paths`."""

    declared: dict[str, SecurityScheme]
    around: Surroundings
    findings: tuple[Finding, ...]
    files: frozenset[str]


@dataclass(slots=True)
class Memory:
    """The last compilation of one root document. `reused` says that something of it is in the present one."""

    around: dict[str, Any] = field(default_factory=dict)  # members of the document but `paths`
    files: dict[str, bytes | None] = field(default_factory=dict)  # every other file that was asked for
    names: frozenset[str] | None = None  # of all files, if one was asked for that is not there
    frame: Frame | None = None
    items: dict[str, Item] = field(default_factory=dict)
    before: dict[str, Item] = field(default_factory=dict)  # as they were, for operations that turn out the same
    lowered: dict[str, Lowered] = field(default_factory=dict)
    crossings: tuple[list[tuple[str, tuple[str, ...]]], tuple[Finding, ...]] = field(default_factory=lambda: ([], ()))
    named: Named = field(default_factory=dict)
    operations: tuple[Operation, ...] = ()
    reached: tuple[str, ...] = ()
    schemas: Schemas | None = None
    reused: bool = False

    def begin(self, library: Library, root: Node) -> None:
        """Forgets what depends on anything that has changed."""
        around = {key: value for key, value in root.value.items() if key != "paths"}
        changed = {file for file, data in self.files.items() if not _equal(library.files.get(file), data)}
        named_alike = self.names is None or self.names == library.files.keys()
        self.before = self.items
        if not named_alike or not _alike(around, self.around) or (self.frame and changed & self.frame.files):
            self.frame, self.items, self.lowered, self.schemas = None, {}, {}, None
        else:
            self._forget(changed, root)
        self.around, self.reused = around, bool(self.items or self.frame)

    def _forget(self, changed: set[str], root: Node) -> None:
        """Forgets the items that have another value or lead to a changed file, and the schemas that do."""
        paths = root.value.get("paths")
        values = paths if type(paths) is dict else {}
        stale: set[str] = set()
        kept: dict[str, Item] = {}
        for key, item in self.items.items():
            value = values.get(key, _NONE)
            if value is not item.value and (value is _NONE or not same(item.value, value)):
                stale.update(_own(item, self.lowered))
            elif not changed or changed.isdisjoint(item.files):
                kept[key] = item
        if changed:
            stale |= _reaching(self.lowered, changed)
        for uri in stale:
            self.lowered.pop(uri, None)
        self.items = {k: i for k, i in kept.items() if stale.isdisjoint(i.schemas)} if changed else kept

    def end(self, library: Library, items: Sequence[Item]) -> None:
        """Remembers a compilation. One whose paths lean on each other, or on names of schemas, is not remembered."""
        self.before = {}
        if library.into_paths or library.named():
            self.frame, self.items, self.lowered, self.schemas = None, {}, {}, None
            return
        if len(self.lowered) != len(self.reached):
            self.lowered = {uri: self.lowered[uri] for uri in self.reached}
        self.items = {item.key: item for item in items}
        asked: set[str] = set().union(*(item.files for item in items), self.frame.files if self.frame else ())
        asked.discard(library.root_file)
        self.files = {file: library.files.get(file) for file in asked}
        self.names = frozenset(library.files) if None in self.files.values() else None

    def overlaps(self, items: Sequence[Item]) -> tuple[Finding, ...]:
        """What `rules.overlaps` finds, looked for again only if a path has come, gone or moved."""
        texts = [item.texts for item in items]
        if texts != self.crossings[0]:
            paths: dict[str, tuple[PathTemplate, Place]] = {}
            for item in items:
                for operation in item.operations:
                    paths.setdefault(operation.path.text, (operation.path, item.place))
            report = Report()
            overlaps.check(paths, report)
            self.crossings = (texts, tuple(report.findings))
        return self.crossings[1]

    def familiar(self, key: str, found: Iterable[Operation]) -> tuple[Operation, ...]:
        """A path's operations; those that are as they were are the very same objects."""
        item = self.before.get(key)
        known = {(o.method, o.path.text): o for o in item.operations} if item else {}
        return tuple(_familiar(known.get((o.method, o.path.text)), o) for o in found)

    def sorted_operations(self, found: Sequence[Operation]) -> tuple[Operation, ...]:
        """Operations by path, method and id."""
        now = {id(operation): operation for operation in found}
        self.operations = _patched(self.operations, now, id, lambda o: (o.path.text, o.method, o.id))
        return self.operations

    def sorted_uris(self, items: Sequence[Item]) -> tuple[str, ...]:
        """The URIs of all schemas that the items reach; the same tuple as before if they are the same."""
        uris: set[str] = set().union(*(item.schemas for item in items))
        self.reached = _patched(self.reached, dict(zip(uris, uris, strict=True)), str, str)
        return self.reached


def _familiar(old: Operation | None, new: Operation) -> Operation:
    # `==` takes 1, 1.0 and true for equal; only `settings` holds values as they were written
    return old if old is not None and old == new and repr(old.settings) == repr(new.settings) else new


def _patched(
    before: tuple[_T, ...], now: Mapping[Any, _T], name: Callable[[_T], Any], key: Callable[[_T], Any]
) -> tuple[_T, ...]:
    """The values of `now` in the order of `key`, by changing the sorted `before` where few have come or gone."""
    known = set(map(name, before))
    added = now.keys() - known
    if not added and len(now) == len(known):
        return before
    if len(added) > _FEW:
        return tuple(sorted(now.values(), key=key))
    result = [value for value in before if name(value) in now]
    for one in added:
        insort(result, now[one], key=key)
    return tuple(result)


def _own(item: Item, lowered: Mapping[str, Lowered]) -> Iterable[str]:
    """The schemas of an item that are written in it."""
    own = join("/paths", item.key) + "/"
    for uri in item.schemas:
        one = lowered.get(uri)
        if one is not None and one.node.file == item.place.file and f"{one.key}/".startswith(own):
            yield uri


def _reaching(lowered: Mapping[str, Lowered], changed: set[str]) -> set[str]:
    """The schemas that lead into changed files, through any number of others."""
    above: dict[str, list[str]] = {}
    found: set[str] = set()
    for uri, one in lowered.items():
        if one.node.file in changed or not changed.isdisjoint(one.files):
            found.add(uri)
        for part in (*one.here, *one.parts):
            above.setdefault(part, []).append(uri)
    queue = list(found)
    while queue:
        for uri in above.get(queue.pop(), ()):
            if uri not in found:
                found.add(uri)
                queue.append(uri)
    return found


@dataclass(slots=True)
class Cache:
    """What compilations leave for each other. Nothing in it changes a result, only its time. Not shared between threads."""

    loaded: Loaded = field(default_factory=Loaded)
    memories: dict[str, Memory] = field(default_factory=dict)

    def of(self, root_file: str) -> Memory:
        return self.memories.setdefault(root_file, Memory())

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Drops what is kept of files that are gone."""
        for table in (self.loaded.documents, self.loaded.blocks, self.loaded.ids, self.memories):
            for file in table.keys() - files.keys():
                del table[file]


def same(a: Any, b: Any) -> bool:
    """Whether two plain values are written alike; unlike `==`, it tells 1, 1.0 and true apart."""
    return a is b or (type(a) is type(b) and marshal.dumps(a, 2) == marshal.dumps(b, 2))


def _alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)


def _equal(a: bytes | None, b: bytes | None) -> bool:
    return a is b or a == b
