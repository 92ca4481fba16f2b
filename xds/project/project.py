"""a project's folder -> Compilation, over and over; what once compiled is kept on disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from xds.compile import Compilation, Compiler, lay_out
from xds.handshake import RESERVED
from xds.model import Gateway, Service
from xds.project.building import building
from xds.project.compatible import Compatibility
from xds.project.last_good import LastGood
from xds.project.sources import Kept, Sources, files_of, with_keys
from xds.settings import key_files, settings_files
from xds.settings.layers import OVER
from xds.source import Tree, read_tree
from xds.source.packs import beside, inside
from xds.source.union import Member

log = logging.getLogger("sidegate")


class _Mark(NamedTuple):
    """What tells whether the sources of a service are those that are kept."""

    digests: tuple[str, ...]
    revision: str | None
    secrets: int
    pack: str | None
    namespace: str


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
        self.compatibility = Compatibility(self._former_files)
        self._taken_back: set[str] = set()
        self._tree: Tree | None = None
        self._names: Set[str] | None = None
        self._last: Compilation | None = None
        self._good = LastGood(state)
        self._kept: dict[str, _Mark] = {}
        self._recalled: dict[str, tuple[Tree, Compilation]] = {}
        self._namespaces: dict[str, str] = {}

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

    def namespaces(self) -> dict[str, str]:
        """The namespace that each service's pack came from, of those that came out of Kubernetes; also while a service is
        served as it was, whatever has become of its pack."""
        return self._namespaces

    def _namespaces_now(self, last: Compilation) -> dict[str, str]:
        tree = self.tree
        known = ((pack.origin.namespace, tree.members.get(name)) for name, pack in tree.packs.items())
        served = {service.name for service in last.gateway.services} & last.refused
        remembered = {service: namespace for service, namespace in self._namespaces.items() if service in served}
        return remembered | {
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
            self._names = None
            fresh = self._compiler.compile(self._tree, self._last)
            if self._last is None and not self._tree.decided and (before_restart := self._served_before(fresh)):
                fresh = self._compiler.compile(self._tree, before_restart)
            fresh = self._upheld(self.compatibility.judge(fresh, self._tree, self._compiler.cache))
            self._last = self._with_last_good(fresh)
        self._namespaces = self._namespaces_now(self._last)
        self._recalled = {name: known for name, known in self._recalled.items() if name in self._tree.earlier}
        self._keep(fresh)
        self._forget(fresh)
        return self._last

    def _read(self, before: Tree) -> Tree:
        return read_tree(self.root, before, self._named, self.env, self.packs)

    def sources(self, service: str) -> Sources:
        """What a service, as it is served, was compiled from; all services with an empty name. Nothing if nobody has it."""
        if self._last is None:
            return Sources()
        if not service:
            return self._all_sources(self._last)
        if (found := self._last.service(service)) is None:
            return Sources()
        if service in self._last.refused and (kept := self._good.read(service)):
            return kept.sources(service)
        pack = self.tree.pack_of(service)
        return Sources(files_of((found,), self.tree, (pack or "",), self._every()), {pack: (service,)} if pack else {})

    def _all_sources(self, last: Compilation) -> Sources:
        """Those of all services, of refused ones those that are served instead."""
        served = tuple(s for s in last.gateway.services if s.name not in last.refused)
        names = {s.name for s in served}
        members = {name: m.services for name, m in self.tree.members.items() if m.services & names}
        kept = {name: self._good.read(name) for name in sorted(last.refused) if last.service(name)}
        earlier = {name: each.sources(name) for name, each in kept.items() if each}
        files = files_of(served, self.tree, members, self._every()) if served else {}
        return Sources(files, members, last.refused, earlier)

    def _every(self) -> Set[str]:
        """The names of all services that there are contracts of."""
        if self._names is None:
            self._names = lay_out(self.tree)[0].keys()
        return self._names

    def _with_last_good(self, fresh: Compilation) -> Compilation:
        """The compilation, with every refused service as it last compiled."""
        refused = set(fresh.refused)
        if not fresh.gateway.services:
            refused |= {s.name for s in self._last.gateway.services} if self._last else set(self._good.names())
        services = {s.name: s for s in fresh.gateway.services}
        bundles = dict(fresh.bundles)
        alone = self.tree.decided and bool(fresh.gateway.services)  # then the settings in force are there
        settings = fresh.settings if alone or not refused or self._last is None else self._last.settings
        schemes = {s.name: s for s in fresh.gateway.schemes}
        secrets = {s.name: s for s in fresh.gateway.secrets}
        around = fresh.gateway
        for name in sorted(refused):
            if (old := self._recall(name)) and (service := old.service(name)):
                services[name] = service
                settings = settings if alone else old.settings  # with what is broken, also who decides stays as it was
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
        names = self._good.names() if contested else sorted(fresh.refused)
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
        """The compilation that last held a service: the one decided on, else the one before this, else the one on disk."""
        if (tree := self.tree.earlier.get(name)) is not None:
            return self._recompiled(name, tree)
        if self._last is not None and name not in self._taken_back:
            return self._last if self._last.service(name) else None
        if (kept := self._good.read(name)) is None:
            return None
        members = {kept.pack: Member(frozenset((name,)))} if kept.pack else {}
        return self._recompiled(name, Tree(kept.files, env=self.env, members=members, decided=True))

    def _recompiled(self, name: str, tree: Tree) -> Compilation | None:
        """A service's earlier sources, compiled once."""
        known = self._recalled.get(name)
        if known is None or known[0] != tree:
            known = self._recalled[name] = tree, Compiler(closed=self.closed, clock=None).compile(tree)
        return known[1] if known[1].service(name) else None

    def _former_files(self, name: str) -> Mapping[str, bytes] | None:
        kept = self._good.read(name)
        return kept.files if kept else None

    def _forget(self, fresh: Compilation) -> None:
        """Let go of services that are no more (deleted, or called otherwise now), or a restart could bring them back."""
        names = {service.name for service in fresh.gateway.services}
        if fresh.refused or not names:
            return
        for name in self._good.names():
            if name not in names:
                self._good.forget(name)
                self._kept.pop(name, None)

    def _keep(self, fresh: Compilation) -> None:
        """Keep the sources of every service that compiled just now. A disk that refuses is reported, nothing more."""
        for service in fresh.gateway.services:
            bundle, pack = fresh.bundles.get(service.name), self.tree.pack_of(service.name)
            secrets, namespace = fresh.gateway.secrets, self._namespaces.get(service.name, "")
            digests = tuple(v.digest for v in service.versions)
            mark = _Mark(digests, bundle.revision if bundle else None, hash(secrets), pack, namespace)
            known = self._kept.get(service.name)
            if known == mark or self._good.folder is None:
                continue
            files = with_keys(files_of((service,), self.tree, (pack or "",), self._every()), secrets, pack)
            try:
                self._good.write(service.name, Kept(files, pack, namespace, digests), known.digests if known else None)
                self._taken_back.discard(service.name)
            except OSError as error:
                log.warning("the last good form of %s cannot be kept: %s", service.name, error)
                continue
            self._kept[service.name] = mark

    def take_back(self, service: str) -> bool:
        """Go back to the form of a service's contracts before the last, with the next `compile()`; whether one is kept.

        For a companion that took a form which its control plane holds back.
        """
        if not self._good.take_back(service):
            return False
        self._kept.pop(service, None)
        self._taken_back.add(service)
        self.compatibility.forget(service)
        return True

    def _members_kept(self) -> dict[str, Member]:
        """What packs brought when the process before this one last took them: theirs stays theirs."""
        found: dict[str, set[str]] = {}
        for service in self._good.names():
            if (kept := self._good.read(service)) and kept.pack:
                found.setdefault(kept.pack, set()).add(service)
                if kept.namespace:
                    self._namespaces[service] = kept.namespace
        return {pack: Member(frozenset(services)) for pack, services in found.items()}


def _under(tree: Tree, over: Mapping[str, bytes]) -> Tree:
    return replace(tree, files=dict(sorted({**tree.files, **over}.items()))) if over else tree


def _sorted(services: dict[str, Service]) -> tuple[Service, ...]:
    return tuple(services[name] for name in sorted(services))
