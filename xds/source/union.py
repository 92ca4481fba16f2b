"""a project's own files and its packs -> the files of one project, or what keeps a pack out.

A pack speaks for its own services: their contracts, their policies, their entries in `services`, and security schemes of its
own. What holds for the whole gateway is the project's. A pack is taken whole or not at all: one that claims what another has
is held up, and whoever had it first keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from xds.diagnostics import Diagnostic, Span, has_errors

from .document import Document, load
from .packs import Pack, beside, inside, pack_of
from .pointer import escape

_SETTINGS = "sidegate.yaml"
PLATFORM = "policies/platform/"
_SPOKEN = ("services", "security")
_IGNORED = ("dev",)
"""Sections that only `sidegate up` reads, in the service's own folder."""


@dataclass(frozen=True, slots=True)
class Member:
    """What a pack brought when it last was taken."""

    services: frozenset[str]


@dataclass(slots=True)
class Union:
    """The files of one project. `held` are services of packs that are not taken, as far as they are known."""

    files: dict[str, bytes]
    shown: dict[str, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    problems: list[Diagnostic] = field(default_factory=list)


def unite(
    own: Mapping[str, bytes],
    packs: Mapping[str, Pack],
    before: Mapping[str, Member],
    env: str | None,
    alone: Pack | None = None,
) -> Union:
    """The files of a project with all its packs. `own` holds, by names of `inside`, also what packs name and do not hold.

    `before` is what packs brought last time: theirs stays theirs. `alone` is a pack that is the whole project, in which
    everything counts. Codes: `pack-collision`, `pack-forbidden`, and those of `load`.
    """
    if alone is not None:
        files = {**alone.files, **own}
        shown = {file: inside(alone.name, file) for file in alone.files}
        return Union(files, shown, {alone.name: Member(alone.services)})
    made = Union(dict(own))
    taken, rules = _Taken(own, env), _namespaces(own, env)
    held: set[str] = set()
    same: set[tuple[str, bytes]] = set()  # of one owner: two workloads of a service bring its sources twice
    # Whoever was there first goes first, so that nothing that comes later takes it over.
    for pack in sorted(packs.values(), key=lambda p: (p.name not in before, p.origin.created, p.name)):
        if (pack.origin.namespace, pack.data) in same:
            continue
        documents, said = _documents(pack, env)
        said = said or [*_forbidden(pack, documents, own), *_foreign(pack, rules), *taken.collisions(pack, documents)]
        made.problems += said
        if has_errors(said) or not pack.readable:
            held |= pack.services
            if pack.name in before:
                made.members[pack.name] = before[pack.name]
                held |= taken.reserve(pack, before[pack.name])
            continue
        made.members[pack.name] = taken.take(pack, documents)
        same.add((pack.origin.namespace, pack.data))
        for file, data in pack.files.items():
            if file.startswith(("contracts/", "policies/")) and not file.startswith(PLATFORM):
                made.files[file], made.shown[file] = data, inside(pack.name, file)
            else:
                made.files[inside(pack.name, file)] = data
    made.held = frozenset(held - taken.served)
    made.shown |= {file: beside(file) for file in own if pack_of(file)}
    return made


def _documents(pack: Pack, env: str | None) -> tuple[list[Document], list[Diagnostic]]:
    """The settings in a pack, the lower layer first, and why they cannot be read."""
    names = [name for name in (_SETTINGS, f"sidegate.{env}.yaml" if env else "") if name in pack.files]
    read = [load(inside(pack.name, name), pack.files[name]) for name in names]
    return [document for document, _ in read if document], [d for _, said in read for d in said]


def _foreign_policy(pack: Pack, file: str, own: Mapping[str, bytes]) -> str | None:
    """What is wrong with a policy of a pack. Rules for everybody that it brings are for its services alone, and only where
    the project has none: a rule more in one of the project's own packages could undo what that says.
    """
    parts = file.split("/")
    if parts[0] != "policies" or (len(parts) > 2 and parts[1] in pack.services):
        return None
    if not file.startswith(PLATFORM):
        return "a pack among others cannot bring policies of a service that is not in it"
    if any(each.startswith(PLATFORM) for each in own) and own.get(file) != pack.files[file]:
        return "the project has rules for everybody, which this is not one of"
    return None


def _forbidden(pack: Pack, documents: Iterable[Document], own: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """What a pack says beyond its own services."""
    if pack.readable and not pack.services:
        yield Diagnostic("pack-forbidden", "the pack holds no contract", Span(pack.name), "pack the service's folder")
    for file in sorted(pack.files):
        if problem := _foreign_policy(pack, file, own):
            yield Diagnostic(
                "pack-forbidden", problem, Span(inside(pack.name, file)), "put it into the project's own folder"
            )
            return
    for document in documents:
        yield from _forbidden_settings(pack, document)


def _forbidden_settings(pack: Pack, document: Document) -> Iterator[Diagnostic]:
    top = document.value
    if top is None:
        return
    if not isinstance(top, dict):
        yield Diagnostic("settings-invalid", "the file must be a mapping", document.span())
        return
    for key in top:
        if key not in (*_SPOKEN, *_IGNORED) and not key.startswith("x-"):
            help_ = "write it into the project's own sidegate.yaml"
            message = f"a pack among others cannot say `{key}`, which holds for the whole gateway"
            yield Diagnostic("pack-forbidden", message, document.span(f"/{escape(key)}"), help_)
    for name in _section(document, "services"):
        if name not in pack.services:
            message = f"the pack has no contract of the service '{name}' that it configures"
            yield Diagnostic("pack-forbidden", message, document.span(f"/services/{escape(name)}"))
    for name, scheme in _section(document, "security").items():
        if isinstance(scheme, dict) and "login" in scheme:
            message = "a pack among others cannot say `login`: its paths are taken from everybody"
            help_ = f"write the scheme '{name}' into the project's own sidegate.yaml"
            yield Diagnostic("pack-forbidden", message, document.span(f"/security/{escape(name)}/login"), help_)


def _namespaces(own: Mapping[str, bytes], env: str | None) -> Mapping[str, Any] | None:
    """What the project says of namespaces (`packs.namespaces`), the upper layer before the lower."""
    for name in (f"sidegate.{env}.yaml" if env else "", _SETTINGS):
        document = load(name, own[name])[0] if name in own else None
        said = _section(document, "packs").get("namespaces") if document else None
        if said is not None:
            return said if isinstance(said, dict) else {}
    return None


def _foreign(pack: Pack, rules: Mapping[str, Any] | None) -> Iterator[Diagnostic]:
    """Services of a pack that its namespace may not define. Packs that are mere files are the project's own."""
    if rules is None or not pack.origin.namespace:
        return
    may = rules.get(pack.origin.namespace, ())
    patterns = [str(pattern) for pattern in may] if isinstance(may, list | tuple) else []
    for service in sorted(pack.services):
        if not any(fnmatchcase(service, pattern) for pattern in patterns):
            at = Span(min(inside(pack.name, f) for f in pack.files if f.startswith(f"contracts/{service}/")))
            message = f"the namespace '{pack.origin.namespace}' may not define the service '{service}'"
            help_ = f"in the project's sidegate.yaml: packs: {{namespaces: {{{pack.origin.namespace}: [{service}]}}}}"
            yield Diagnostic("pack-forbidden", message, at, help_)


def _section(document: Document, name: str) -> dict[str, Any]:
    section = document.value.get(name) if isinstance(document.value, dict) else None
    return section if isinstance(section, dict) else {}


class _Taken:
    """Who has which service and which security scheme."""

    def __init__(self, own: Mapping[str, bytes], env: str | None) -> None:
        self.own = own
        self.services: dict[str, Span] = {}
        self.served: set[str] = set()
        self.schemes: dict[str, tuple[Any, Span]] = {}
        for file in own:
            parts = file.split("/")
            if len(parts) > 2 and parts[0] == "contracts":
                self.services.setdefault(parts[1], Span(file))
        self.served |= self.services.keys()
        for name in (_SETTINGS, f"sidegate.{env}.yaml" if env else ""):
            document = load(name, own[name])[0] if name in own else None
            if document is not None:
                self._learn(document, own, "")

    def collisions(self, pack: Pack, documents: Iterable[Document]) -> Iterator[Diagnostic]:
        """What the pack brings that somebody else has."""
        for service in sorted(pack.services & self.services.keys()):
            at = Span(min(inside(pack.name, f) for f in pack.files if f.startswith(f"contracts/{service}/")))
            also = ((self.services[service], "the one that counts"),)
            help_ = "a service comes from one place: remove one of the two, or rename the service"
            yield Diagnostic("pack-collision", f"the service '{service}' is there already", at, help_, also)
        for document in documents:
            for name, value in _section(document, "security").items():
                known = self.schemes.get(name)
                if known and known[0] != _with_files(value, self._files_of(pack)):
                    at, also = document.span(f"/security/{escape(name)}"), ((known[1], "the one that counts"),)
                    message = f"another security scheme is called '{name}' already"
                    help_ = "give it a name of its own, in the contract too, or say the same as the other"
                    yield Diagnostic("pack-collision", message, at, help_, also)

    def reserve(self, pack: Pack, member: Member) -> frozenset[str]:
        """Keep for a pack that cannot be used now what it brought before."""
        mine = member.services - self.services.keys()
        self.services |= {service: Span(pack.name) for service in mine}
        return mine

    def take(self, pack: Pack, documents: Iterable[Document]) -> Member:
        """Note what the pack brings."""
        for file in sorted(pack.files):
            parts = file.split("/")
            if len(parts) > 2 and parts[0] == "contracts":
                self.services.setdefault(parts[1], Span(inside(pack.name, file)))
        self.served |= pack.services
        for document in documents:
            self._learn(document, self._files_of(pack), pack.name)
        return Member(pack.services)

    def _learn(self, document: Document, files: Mapping[str, bytes], pack: str) -> None:
        for name, value in _section(document, "security").items():
            if not pack or name not in self.schemes:
                self.schemes[name] = _with_files(value, files), document.span(f"/security/{escape(name)}")

    def _files_of(self, pack: Pack) -> Mapping[str, bytes]:
        prefix = inside(pack.name, "")
        beside = {f.removeprefix(prefix): data for f, data in self.own.items() if f.startswith(prefix)}
        return {**beside, **pack.files}


def _with_files(value: Any, files: Mapping[str, bytes]) -> Any:
    """A scheme's value with what its files hold in place of their names: equal ones say the same."""
    if isinstance(value, dict):
        return {
            k: files.get(v, v) if k == "file" and isinstance(v, str) else _with_files(v, files)
            for k, v in value.items()
        }
    return [_with_files(item, files) for item in value] if isinstance(value, list) else value
