"""Folder -> Tree: the bytes of a project, links followed only to what is inside their root, packs united."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xds.diagnostics import Diagnostic, Span, renamed

from .packs import ENDING, INDEX, Origin, Pack, folder_of, inside, origins, pack_of, read_packs, state_of
from .reading import Reading, Stamp
from .union import PLATFORM, Member, unite

_ROOTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # folder, endings that are read, exact names that are read
    ("contracts", (".yaml", ".yml", ".json"), ()),
    ("policies", (".rego",), ("data.json", "data.yaml")),
)
_SETTINGS = "sidegate.yaml"
_TRIES = 50
"""A mounted volume is exchanged once a minute at most; whatever changes faster than it can be read is not Kubernetes."""

Extra = Iterable[str] | Callable[[Mapping[str, bytes]], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Tree:
    """A project's files as bytes, by path relative to its folder (forward slashes); what could not be read is a problem.

    `stamps` are of the files that can be told from what they were without reading them again. `env` is the environment
    whose layer of settings counts. Files out of packs stand under the names that they have in an unpacked folder;
    `shown` are the names that people know them by. `held` are services that a pack holds which cannot be used now. `as_of`
    numbers the state of the Kubernetes API that packs came from (0: from elsewhere). `decided`: all that is in it is served
    already, so nobody claims what another has; of services that are `held`, what is served is in `earlier`.
    """

    files: Mapping[str, bytes]
    problems: tuple[Diagnostic, ...] = ()
    stamps: Mapping[str, Stamp] = field(default_factory=dict, repr=False, compare=False)
    env: str | None = None
    packs: Mapping[str, Pack] = field(default_factory=dict, repr=False)
    members: Mapping[str, Member] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    shown: Mapping[str, str] = field(default_factory=dict, repr=False)
    as_of: int = field(default=0, compare=False)
    decided: bool = False
    earlier: Mapping[str, Tree] = field(default_factory=dict, repr=False)

    def pack_of(self, service: str) -> str | None:
        """The pack that a service comes from."""
        return next((name for name, member in self.members.items() if service in member.services), None)

    def of_service(self, service: str) -> Mapping[str, bytes]:
        """The files as a service sees them: with the rules for everybody that its pack brings for itself alone."""
        pack = self.pack_of(service)
        prefix = inside(pack or "", PLATFORM)
        own = {file.partition("/")[2]: data for file, data in self.files.items() if pack and file.startswith(prefix)}
        return {**self.files, **own} if own else self.files

    @property
    def texts(self) -> Mapping[str, bytes]:
        """The files by the names that diagnostics have for them."""
        return {self.shown.get(file, file): data for file, data in self.files.items()} if self.shown else self.files

    def named(self, diagnostic: Diagnostic) -> Diagnostic:
        """A diagnostic whose places name packs and the files in them."""
        return renamed(diagnostic, lambda file: self.shown.get(file, file)) if self.shown else diagnostic


def read_tree(
    root: Path, previous: Tree | None = None, extra: Extra = (), env: str | None = None, packs: Iterable[Path] = ()
) -> Tree:
    """Reads `contracts/`, `policies/`, `sidegate.yaml`, the layer of `env` over it, packs, and the `extra` relative files.

    `packs` are further folders with packs. `extra` may be asked with the files of settings. `previous` lends its bytes for
    files whose stamps are the same; files that were read again and say the same are the same objects. Codes:
    `file-unreadable`, `path-escapes`, `document-budget`, and those of packs. A folder that is not there is empty; one that
    cannot be listed is a problem.
    """
    before = previous or Tree({})
    for _ in range(_TRIES):
        own, *others = walks = [_Walk(folder, before, env) for folder in (root, *packs)]
        own.project()
        for walk in others:
            walk.packs()
        tree = _tree(walks, before, extra, env)
        if not any(walk.reading.moved() for walk in walks):
            return tree
    problem = Diagnostic("file-unreadable", "the folder changes faster than it can be read", Span("."))
    return Tree({}, (problem,), env=env, packs=before.packs, members=before.members, held=_served(before))


def _served(tree: Tree) -> frozenset[str]:
    return frozenset(service for member in tree.members.values() for service in member.services)


class _Walk:
    """One folder's part of a reading."""

    def __init__(self, root: Path, before: Tree, env: str | None) -> None:
        lent = {**before.files, **{pack.name: pack.data for pack in before.packs.values()}}
        self.reading = Reading(root, lent, before.stamps)
        self.settings = (_SETTINGS,) if env is None else (_SETTINGS, f"sidegate.{env}.yaml")
        self.zips: dict[str, bytes] = {}
        self.unread: set[str] = set()
        self.origins: Mapping[str, Origin] = {}
        self.as_of = 0

    def project(self) -> None:
        """Contracts, policies, settings and packs."""
        for folder, endings, names in _ROOTS:
            self.reading.folder(folder, endings, names)
        for name in self.settings:
            self.reading.single(name, optional=True)
        self._zips()

    def packs(self) -> None:
        """Packs, and where they come from if they came out of Kubernetes."""
        self.reading.single(INDEX, optional=True)
        index = self.reading.files.pop(INDEX, None)
        self.origins, self.as_of = origins(index), state_of(index)
        self._zips()

    def _zips(self) -> None:
        reading = self.reading
        reading.beside(ENDING)
        self.zips = {name: reading.files.pop(name) for name in [*reading.files] if _is_pack(name)}
        self.unread = {d.span.file for d in reading.problems if d.span and _is_pack(d.span.file)}

    def extra(self, name: str, packs: Mapping[str, Pack], alone: Pack | None) -> None:
        """A file that settings name: in its pack, in the folder beside that, or in the project."""
        if name in self.reading.files or (alone and name in alone.files):
            return
        pack = alone.name if alone else pack_of(name)
        if pack is None or pack not in packs:
            self.reading.single(name, optional=False)
            return
        file = name if alone else name.partition("/")[2]
        if file in packs[pack].files:
            return
        if ".." in file.split("/") or file.startswith("/"):
            message = "a pack names files of its own, and secrets in the folder beside it"
            self.reading.problem("path-escapes", name, message)
            return
        beside = f"{folder_of(pack)}/{file}"
        if alone and not (self.reading.root / beside).exists():
            beside = file
        self.reading.single(beside, optional=False, name=name)


def _is_pack(name: str) -> bool:
    return name.endswith(ENDING) and "/" not in name


def _tree(walks: list[_Walk], before: Tree, extra: Extra, env: str | None) -> Tree:
    own = walks[0]
    problems = [problem for walk in walks for problem in walk.reading.problems]
    zips: dict[str, bytes] = {}
    from_: dict[str, Origin] = {}
    for walk in walks:
        problems += [_twice(name) for name in walk.zips.keys() & zips.keys()]
        from_ = {**walk.origins, **from_}
        zips = {**walk.zips, **zips}
    packs, refused = read_packs(
        zips, before.packs, {name for walk in walks for name in walk.unread} - zips.keys(), from_
    )
    single = next(iter(packs.values())) if len(walks) == 1 and len(packs) == 1 and not own.reading.files else None
    alone = single if single and single.readable else None
    told = alone.files if alone else _settings(packs, own)
    for name in extra(told) if callable(extra) else extra:
        own.extra(name, packs, alone)
    stamps = {name: stamp for walk in reversed(walks) for name, stamp in walk.reading.stamps.items()}
    united = unite(own.reading.files, packs, before.members, env, alone)
    problems = [*dict.fromkeys((*problems, *own.reading.problems)), *refused, *united.problems]
    return Tree(
        dict(sorted(united.files.items())),
        tuple(sorted(problems, key=lambda d: (str(d.span), d.code))),
        stamps,
        env,
        packs,
        united.members,
        united.held,
        united.shown,
        max(walk.as_of for walk in walks),
    )


def _twice(pack: str) -> Diagnostic:
    help_ = "give one of the two another name"
    return Diagnostic(
        "pack-collision", "a pack of that name is in an earlier folder, and that one counts", Span(pack), help_
    )


def _settings(packs: Mapping[str, Pack], own: _Walk) -> dict[str, bytes]:
    """The files of settings, the project's and those of its packs."""
    found = {name: own.reading.files[name] for name in own.settings if name in own.reading.files}
    for pack in packs.values():
        found |= {inside(pack.name, name): pack.files[name] for name in own.settings if name in pack.files}
    return found
