"""two environments of a project -> what differs: in their settings, and in what Envoy gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xds.compile import Compiler
from xds.diagnostics import Diagnostic, has_errors
from xds.project.offline import read_offline
from xds.settings import envs, settings_document
from xds.settings.layers import Layers
from xds.source.pointer import join

BASE = "base"
"""What sidegate.yaml says by itself is called so."""

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that differs. `a` and `b` are the values, None where there is none; `places` where each was written."""

    pointer: str
    a: Any
    b: Any
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """A resource that differs: by the short name of its discovery service and its own. `change` is `added` (only `b` has
    it), `removed` or `changed`; `paths` are where, in the form that `sidegate compile --format json` prints."""

    type: str
    name: str
    change: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between environments `a` and `b`. `said` are the errors for which one of them does not compile, with
    the files that they name: then nothing is known of `resources`."""

    a: str
    b: str
    settings: tuple[Setting, ...]
    resources: tuple[Changed, ...]
    said: tuple[Diagnostic, ...] = ()
    files: Mapping[str, bytes] | None = None

    def __bool__(self) -> bool:
        return bool(self.settings or self.resources or self.said)

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "settings": [asdict(setting) for setting in self.settings],
            "resources": [asdict(resource) for resource in self.resources],
        }


def layers_of(root: Path) -> tuple[str, ...]:
    """The environments that a project's folder has files for."""
    return envs(path.name for path in root.glob("sidegate.*.yaml"))


def difference(root: Path, a: str | None, b: str | None) -> Difference:
    """Compare two environments, None for none. Raises CannotRun if the folder or a layer is not there."""
    trees = [read_offline(root, env) for env in (a, b)]
    documents = [settings_document(tree.files, tree.env)[0] for tree in trees]
    names = a or BASE, b or BASE
    settings = tuple(_settings(documents[0], documents[1]))
    compilations = [Compiler().compile(tree) for tree in trees]
    said = tuple(dict.fromkeys(d for c in compilations for d in c.diagnostics if d.is_error))
    if has_errors(said):
        return Difference(*names, settings, (), said, {**trees[0].files, **trees[1].files})
    return Difference(*names, settings, tuple(_resources(*(c.gateway for c in compilations))))


def _settings(a: Layers | None, b: Layers | None) -> Iterator[Setting]:
    values = (a.value if a else {}, b.value if b else {})
    for pointer, one, other in _values(*values):
        places = [str(d.span(pointer)) for d, value in ((a, one), (b, other)) if d and value is not _ABSENT]
        known = [None if value is _ABSENT else value for value in (one, other)]
        yield Setting(pointer, known[0], known[1], tuple(dict.fromkeys(places)))


def _values(a: Any, b: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The innermost values that differ, as pointer and both of them: mappings by key, lists as a whole."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            yield from _values(a.get(key, _ABSENT), b.get(key, _ABSENT), join(at, key))
    elif a != b or type(a) is not type(b):
        yield at, a, b


def _resources(a: Any, b: Any) -> Iterator[Changed]:
    from xds.envoy import Profile, lower
    from xds.envoy.codec import encode
    from xds.envoy.render import plain
    from xds.snapshot import delta, snapshot_of
    from xds.snapshot.types import short

    profile = Profile(listen=("127.0.0.1", 8080), companion=("127.0.0.1", 8181))
    lowered = [lower(gateway, profile) for gateway in (a, b)]
    changes = delta(*(snapshot_of(each, encode) for each in lowered))
    for url, change in changes.items():
        rows = [(name, kind) for kind in ("added", "changed", "removed") for name in getattr(change, kind)]
        for name, kind in sorted(rows):
            both = [plain(each[url][name]) for each in lowered] if kind == "changed" else []
            yield Changed(short(url), name, kind, tuple(_paths(*both)) if both else ())


def _paths(a: Any, b: Any, at: str = "") -> Iterator[str]:
    """Where two rendered resources differ, as pointers; lists of one length by their items."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            if key not in a or key not in b:
                yield join(at, key)
            else:
                yield from _paths(a[key], b[key], join(at, key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _paths(one, other, join(at, number))
    elif a != b:
        yield at
