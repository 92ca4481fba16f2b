"""a project's folder -> Compilation, over and over; what once compiled is kept on disk."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from xds.compile import Compilation, Compiler
from xds.handshake import RESERVED
from xds.model import Gateway, Service
from xds.model.listeners import Secret
from xds.packs.archive import packed, unpacked
from xds.project.building import building
from xds.project.compatible import Compatibility, contract_files
from xds.settings import key_files, settings_files
from xds.settings.layers import OVER
from xds.source import Tree, read_tree
from xds.source.packs import beside, inside, pack_of
from xds.source.union import Member

log = logging.getLogger("sidegate")

LAST_GOOD = "last-good"
_ORIGIN = ".pack"
"""In the last good form of a service out of a pack: that pack's name."""


class Project:
    """A folder with contracts, policies and sidegate.yaml, compiled over and over.

    `compile()` always gives every service that ever compiled: one that is refused now is taken from the last time it was
    not, also after a restart, for which the sources of each good service are kept in `state` (one zip a service, readable by
    its owner alone). `closed`: certificates and their keys are left to whoever serves proxies, and not read.
    """

    def __init__(
        self,
        root: Path,
        state: Path | None = None,
        env: str | None = None,
        *,
        closed: bool = False,
        over: Mapping[str, Any] | None = None,
        packs: Iterable[Path] = (),
    ) -> None:
        """`over` are settings above those of the files, as flags of a command give them; `packs` are further folders, with
        packs alone."""
        self.root, self.state, self.env, self.closed = root, state, env, closed
        self.packs = tuple(packs)
        self._over = {OVER: json.dumps(over).encode()} if over else {}
        self._compiler = Compiler(closed=closed)
        self.compatibility = Compatibility(self._stored)
        self._taken_back: set[str] = set()
        self._tree: Tree | None = None
        self._last: Compilation | None = None
        self._kept: dict[str, tuple[object, ...]] = {}

    @property
    def tree(self) -> Tree:
        """The files of the last compilation."""
        return self._tree or Tree({}, ())

    def key_files(self) -> tuple[str, ...]:
        """The files of settings, and those that they name beside the folders that every project has."""
        named = key_files(self.tree.files, self.env, closed=self.closed)
        alone = [pack for pack in self.tree.packs if not self.tree.files.keys() - self.tree.shown.keys()]
        lying = (*(beside(name) for name in named), *(beside(inside(pack, name)) for pack in alone for name in named))
        return (*settings_files(self.env), *lying)

    def namespaces(self) -> Mapping[str, str]:
        """The namespace that each service's pack came from, of those that came out of Kubernetes."""
        tree = self.tree
        known = ((pack.origin.namespace, tree.members.get(name)) for name, pack in tree.packs.items())
        return {
            service: namespace for namespace, m in known if m and namespace for service in sorted(m.services - RESERVED)
        }

    def _named(self, settings: Mapping[str, bytes]) -> tuple[str, ...]:
        return key_files(settings, self.env, closed=self.closed)

    def compile(self) -> Compilation:
        """Read and compile the folder. Blocking: call it in a thread.

        Services in `refused` are in the result all the same if an earlier form of them compiled.
        """
        with building():
            before = self._tree or Tree({}, members=self._members_kept())
            self._tree = _under(self._read(before), self._over)
            fresh = self._compiler.compile(self._tree, self._last)
            if self._last is None and (before_restart := self._served_before(fresh)):
                fresh = self._compiler.compile(self._tree, before_restart)
            fresh = self._upheld(self.compatibility.judge(fresh, self._tree, self._compiler.cache))
            self._last = self._with_last_good(fresh)
        self._keep(fresh)
        self._forget(fresh)
        return self._last

    def _read(self, before: Tree) -> Tree:
        return read_tree(self.root, before, self._named, self.env, self.packs)

    def sources(self, service: str) -> tuple[Mapping[str, bytes], Mapping[str, Collection[str]]]:
        """The files that a service, as it is served, was compiled from, and which services packs among them bring; of all
        services with an empty name. One that nobody has has no files."""
        found = self._last.service(service) if self._last and service else None
        if not service or self._last is None or found is None:
            packs = {name: member.services for name, member in self.tree.members.items()}
            return ({} if service else self.tree.files), ({} if service else packs)
        files = self._stored(service) if service in self._last.refused else None
        if files is None:
            pack = self._pack_of(service)
            return _files_of(found, self.tree, pack), {pack: (service,)} if pack else {}
        pack = files.pop(_ORIGIN, b"").decode()
        return files, {pack: (service,)} if pack else {}

    def _with_last_good(self, fresh: Compilation) -> Compilation:
        """The compilation, with every refused service as it last compiled."""
        refused = set(fresh.refused)
        if not fresh.gateway.services:
            refused |= {s.name for s in self._last.gateway.services} if self._last else set(self._names_kept())
        services = {s.name: s for s in fresh.gateway.services}
        bundles = dict(fresh.bundles)
        settings = fresh.settings if not refused or self._last is None else self._last.settings
        schemes = {s.name: s for s in fresh.gateway.schemes}
        secrets = {s.name: s for s in fresh.gateway.secrets}
        around = fresh.gateway
        for name in sorted(refused):
            if (old := self._recall(name)) and (service := old.service(name)):
                services[name] = service
                settings = old.settings  # with what is broken, also who decides stays as it was
                if name in old.bundles:
                    bundles[name] = old.bundles[name]
                for scheme in old.gateway.schemes:
                    schemes.setdefault(scheme.name, scheme)
                for secret in old.gateway.secrets:
                    secrets.setdefault(secret.name, secret)
                if not fresh.gateway.services:  # the settings may be broken: what they say of the gateway stays too
                    around = old.gateway
        gateway = replace(
            around,
            services=_sorted(services),
            schemes=tuple(schemes[n] for n in sorted(schemes)),
            secrets=tuple(secrets[n] for n in sorted(secrets)),
        )
        return replace(fresh, gateway=gateway, bundles=bundles, refused=frozenset(refused), settings=settings)

    def _served_before(self, fresh: Compilation) -> Compilation | None:
        """What was served before a restart, as far as it matters to what others may claim: of the services that are refused,
        or of all if requests are claimed twice."""
        contested = any(d.code == "path-collision" for d in fresh.diagnostics)
        names = self._names_kept() if contested else sorted(fresh.refused)
        found = [old.service(name) for name in names if (old := self._recall(name))]
        return Compilation(Gateway(_sorted({s.name: s for s in found if s}), ())) if found else None

    def _upheld(self, fresh: Compilation) -> Compilation:
        """The compilation without services that claim requests of those which are held back and go on as they were."""
        before = self._last or (self._served_before(fresh) if fresh.withheld else None)
        if not fresh.withheld or before is None:
            return fresh
        upheld = self._compiler.uphold(fresh, before, self.tree)
        for name in upheld.refused - fresh.refused:
            self.compatibility.forget(name)
        return upheld

    def _recall(self, name: str) -> Compilation | None:
        """The compilation that last held a service: the one before this, else the one on disk."""
        if self._last is not None and name not in self._taken_back:
            return self._last if self._last.service(name) else None
        files = self._stored(name)
        if files is None:
            return None
        pack = files.pop(_ORIGIN, b"").decode()
        tree = Tree(files, env=self.env, members={pack: Member(frozenset((name,)))} if pack else {})
        compilation = Compiler(closed=self.closed, clock=None).compile(tree)
        return compilation if compilation.service(name) else None

    def _stored(self, name: str) -> dict[str, bytes] | None:
        """The sources kept of a service, or None."""
        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            return unpacked(path.read_bytes())
        except (OSError, zipfile.BadZipFile) as error:
            log.warning("the last good form of %s cannot be read: %s", name, error)
            return None

    def _forget(self, fresh: Compilation) -> None:
        """Let go of services that are no more (deleted, or called otherwise now), or a restart could bring them back."""
        names = {service.name for service in fresh.gateway.services}
        if fresh.refused or not names:
            return
        for name in self._names_kept():
            if name not in names and (path := self._path(name)) is not None:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                self._kept.pop(name, None)

    def _keep(self, fresh: Compilation) -> None:
        """Keep the sources of every service that compiled just now. A disk that refuses is reported, nothing more."""
        for service in fresh.gateway.services:
            bundle = fresh.bundles.get(service.name)
            secrets = fresh.gateway.secrets
            digests = tuple(v.digest for v in service.versions)
            mark = (digests, bundle.revision if bundle else None, hash(secrets), self._pack_of(service.name))
            if self._kept.get(service.name) == mark or (path := self._path(service.name)) is None:
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                scratch = path.with_suffix(f".{os.getpid()}")
                _write(scratch, _pack(service, self.tree, secrets, self._pack_of(service.name)))
                if path.exists() and self._kept.get(service.name, ((),))[0] != digests:
                    path.replace(self._former(path))
                scratch.replace(path)
                self._taken_back.discard(service.name)
            except OSError as error:
                log.warning("the last good form of %s cannot be kept: %s", service.name, error)
                continue
            self._kept[service.name] = mark

    def take_back(self, service: str) -> bool:
        """Go back to the form of a service's contracts before the last, with the next `compile()`; whether one is kept.

        For a companion that took a form which its control plane holds back.
        """
        path = self._path(service)
        if path is None or not self._former(path).exists():
            return False
        self._former(path).replace(path)
        self._kept.pop(service, None)
        self._taken_back.add(service)
        self.compatibility.forget(service)
        return True

    @staticmethod
    def _former(path: Path) -> Path:
        return path.with_suffix(".former")

    def _path(self, name: str) -> Path | None:
        return self.state / LAST_GOOD / f"{name}.zip" if self.state else None

    def _pack_of(self, service: str) -> str | None:
        return next((name for name, member in self.tree.members.items() if service in member.services), None)

    def _members_kept(self) -> dict[str, Member]:
        """What packs brought when the process before this one last took them: theirs stays theirs."""
        found: dict[str, set[str]] = {}
        for service in self._names_kept():
            path = self._path(service)
            with contextlib.suppress(OSError, KeyError, ValueError, zipfile.BadZipFile):
                assert path is not None
                with zipfile.ZipFile(path) as kept:
                    found.setdefault(kept.read(_ORIGIN).decode(), set()).add(service)
        return {pack: Member(frozenset(services)) for pack, services in found.items()}

    def _names_kept(self) -> list[str]:
        folder = self.state / LAST_GOOD if self.state else None
        return sorted(p.stem for p in folder.glob("*.zip")) if folder and folder.is_dir() else []


def _under(tree: Tree, over: Mapping[str, bytes]) -> Tree:
    return replace(tree, files=dict(sorted({**tree.files, **over}.items()))) if over else tree


def _write(path: Path, data: bytes) -> None:
    """Write what nobody else may read: settings name private keys."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def _files_of(service: Service, tree: Tree, pack: str | None) -> dict[str, bytes]:
    """Everything a service was compiled from, and nothing of packs that are not its own."""
    names = contract_files(service, tree)
    names |= {f for f in tree.files if f.startswith((f"policies/{service.name}/", "policies/platform/"))}
    names |= {f for f in tree.files if not f.startswith(("contracts/", "policies/"))}
    return {name: tree.files[name] for name in sorted(names & tree.files.keys()) if pack_of(name) in (None, pack)}


def _pack(service: Service, tree: Tree, secrets: Iterable[Secret], pack: str | None) -> bytes:
    """A zip of everything a service was compiled from, byte for byte reproducible; key material as it is in force."""
    files = _files_of(service, tree, pack)
    for secret in secrets:
        pair = zip(secret.files, (secret.certificate, secret.key), strict=False)
        files |= {name: data for name, data in pair if pack_of(name) in (None, pack)}
    if pack is not None:
        files[_ORIGIN] = pack.encode()
    return packed({name: files[name] for name in sorted(files)})


def _sorted(services: dict[str, Service]) -> tuple[Service, ...]:
    return tuple(services[name] for name in sorted(services))
