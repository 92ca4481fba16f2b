"""What the compilation of a contract leaves for the next one: paths that have not changed are not compiled again.

Whether to reuse is decided by content, never by time: the document outside `paths` and every other file must be the same,
and then each path item whose own value is the same keeps its operations, findings and lowered schemas.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xds.model import Operation, PathTemplate, Place
from xds.source.pointer import join

from .library import Library, Loaded
from .node import Node
from .report import Finding, Report
from .rules import overlaps
from .schemas import Lowered


@dataclass(frozen=True, slots=True)
class Item:
    """A compiled path item. `schemas` are the URIs that its operations reach, `files` those that its references led to."""

    key: str
    value: Any
    place: Place
    operations: tuple[Operation, ...]
    findings: tuple[Finding, ...]
    schemas: tuple[str, ...]
    silent: tuple[Place, ...]
    files: frozenset[str]


@dataclass(slots=True)
class Memory:
    """The last compilation of one root document."""

    around: dict[str, Any] = field(default_factory=dict)  # members of the document but `paths`
    files: dict[str, bytes] = field(default_factory=dict)  # every other file that was used
    items: dict[str, Item] = field(default_factory=dict)
    lowered: dict[str, Lowered] = field(default_factory=dict)
    crossings: tuple[tuple[str, ...], tuple[Finding, ...]] = ((), ())

    def begin(self, library: Library, root: Node) -> None:
        """Forgets everything unless what surrounds the paths is the same."""
        around = {key: value for key, value in root.value.items() if key != "paths"}
        unchanged = all(library.files.get(file) == data for file, data in self.files.items())
        if not (
            unchanged and around.keys() == self.around.keys() and all(same(around[k], self.around[k]) for k in around)
        ):
            self.files, self.items, self.lowered = {}, {}, {}
        self.around = around

    def end(self, library: Library, items: Sequence[Item]) -> None:
        """Remembers a compilation. One whose paths lean on each other, or on names of schemas, is not remembered."""
        named = library.boundaries or any(r.anchors or r.dynamic for r in library.resources.values())
        if library.into_paths or named:
            self.items, self.lowered = {}, {}
            return
        self.items = {item.key: item for item in items}
        self.files = {file: library.files[file] for file in library.roots if file != library.root_file}

    def item(self, key: str, value: Any) -> Item | None:
        """The item of that key if its value is the same; else its schemas are forgotten."""
        known = self.items.get(key)
        if known is None or same(known.value, value):
            return known
        own = join("/paths", key)
        for uri in known.schemas:
            lowered = self.lowered.get(uri)
            if (
                lowered is not None
                and lowered.node.file == known.place.file
                and f"{lowered.key}/".startswith(f"{own}/")
            ):
                del self.lowered[uri]
        return None

    def overlaps(self, items: Sequence[Item]) -> tuple[Finding, ...]:
        """What `rules.overlaps` finds, looked for again only if a path has come, gone or moved."""
        paths: dict[str, tuple[PathTemplate, Place]] = {}
        for item in items:
            for operation in item.operations:
                paths.setdefault(operation.path.text, (operation.path, item.place))
        texts = tuple(paths)
        if texts != self.crossings[0]:
            report = Report()
            overlaps.check(paths, report)
            self.crossings = (texts, tuple(report.findings))
        return self.crossings[1]


@dataclass(slots=True)
class Cache:
    """What compilations leave for each other. Nothing in it changes a result, only its time. Not shared between threads."""

    loaded: Loaded = field(default_factory=Loaded)
    memories: dict[str, Memory] = field(default_factory=dict)

    def of(self, root_file: str) -> Memory:
        return self.memories.setdefault(root_file, Memory())

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Drops what is kept of files that are gone."""
        for table in (self.loaded.documents, self.loaded.blocks, self.memories):
            for file in [file for file in table if file not in files]:
                del table[file]


def same(a: Any, b: Any) -> bool:
    """Whether two plain values are written alike; unlike `==`, it tells 1, 1.0 and true apart."""
    return a is b or (type(a) is type(b) and marshal.dumps(a, 2) == marshal.dumps(b, 2))
