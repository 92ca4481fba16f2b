"""Tree -> Compilation, again and again, keeping what did not change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from xds.contract import Cache, Contract, compile_contract
from xds.diagnostics import Diagnostic, has_errors
from xds.model import Gateway, Service, Version
from xds.model.listeners import Secret
from xds.native import Site
from xds.passes import PASSES
from xds.policy.bundle import Bundle, load_bundle
from xds.policy.config import Configurer, Spans, rules_of
from xds.settings import ServiceSettings, Settings, parse_settings
from xds.settings.tls import CODES as KEY_MATERIAL
from xds.settings.tls import now
from xds.source import Tree
from xds.source.packs import pack_of

from .claims import shared_by_versions
from .compilation import Compilation
from .consents import consents
from .contest import Parties, Standing, contested
from .digests import Hashes, digest_of
from .layout import Layout, lay_out, of_everybody, services_of
from .outlines import Outlines
from .problems import policy_problems, setting_problems, unknown_services, unmatched_patches, version_problems


@dataclass(slots=True)
class Compiler:
    """Compiles a project again and again, keeping what did not change.

    The result is a function of the tree and of what `previous` served: the caches only save work. `closed` and `clock` are
    those of `xds.settings.parse_settings`.
    """

    cache: Cache = field(default_factory=Cache)
    configurer: Configurer = field(default_factory=Configurer)
    _versions: dict[str, tuple[str, Version]] = field(default_factory=dict)
    _hashes: Hashes = field(default_factory=Hashes)
    _outlines: Outlines = field(default_factory=Outlines)
    closed: bool = False
    clock: Callable[[], datetime] | None = now

    def compile(self, tree: Tree, previous: Compilation | None = None) -> Compilation:
        """Compile a whole tree. Services that `previous` holds win where a new one claims their paths."""
        settings, found = parse_settings(tree.files, tree.env, closed=self.closed, clock=self.clock)
        layout, misplaced = lay_out(tree)
        said = [*tree.problems, *found, *misplaced]
        names = sorted({*layout, *services_of(tree.problems), *services_of(misplaced), *tree.held})
        if not names:
            said.append(Diagnostic("no-contracts", "no contract found in contracts/<service>/<version>.yaml"))
        secrets = _secrets(settings, previous)
        if secrets is None or not names or any(map(_stops_all, found)):
            return Compilation(refused=frozenset(names), diagnostics=tuple(map(tree.named, said)), settings=settings)
        said.extend(unknown_services(settings, layout, tree))
        wrong = [d for d in (*tree.problems, *misplaced) if d.is_error]
        broken, stopped = services_of(wrong) | tree.held | _of_packs(found, tree), of_everybody(wrong)
        services, bundles = {}, {}
        for name in names:
            service, bundle, problems = self._service(name, layout.get(name, {}), settings, tree)
            said.extend(problems)
            if service and name not in broken and not stopped:
                services[name], bundles[name] = service, bundle
        said.extend(self._refuse_claimed(services, names, previous, tree))
        self._let_go(layout, tree)
        gateway = _gateway(services, settings, secrets)
        refused = frozenset(names) - services.keys()
        said.extend(() if refused else unmatched_patches(gateway, tree.files))
        policies = {name: bundle for name, bundle in bundles.items() if bundle and name in services}
        return Compilation(gateway, policies, refused, tuple(map(tree.named, said)), settings)

    def uphold(self, compiled: Compilation, before: Compilation, tree: Tree) -> Compilation:
        """The compilation without services that claim requests of those in `before` which were refused since."""
        services = {service.name: service for service in compiled.gateway.services}
        names = [*services, *compiled.refused]
        said = [tree.named(d) for d in self._refuse_claimed(services, names, before, tree) if d.is_error]
        return replace(
            compiled,
            gateway=replace(compiled.gateway, services=tuple(services.values())),
            bundles={name: bundle for name, bundle in compiled.bundles.items() if name in services},
            refused=frozenset(names) - services.keys(),
            diagnostics=(*compiled.diagnostics, *said),
        )

    def _refuse_claimed(
        self, services: dict[str, Service], names: Collection[str], previous: Compilation | None, tree: Tree
    ) -> Iterator[Diagnostic]:
        """Take out the services that claim requests of others, unless it is decided who has them."""
        if tree.decided:
            return
        before = {service.name: service for service in previous.gateway.services} if previous else {}
        self._outlines.keep(names)
        for name, problem in [f for s in services.values() for f in shared_by_versions(s, self._outlines, tree.files)]:
            services.pop(name, None)
            yield problem
        kept = {name: before[name] for name in names if name in before and name not in services}
        for name, problem in contested(Parties(services, before, kept, _standings(tree), tree.files), self._outlines):
            if problem.is_error:
                services.pop(name, None)
            yield problem

    def _let_go(self, layout: Layout, tree: Tree) -> None:
        """Drop what is kept of versions and files that are gone."""
        self.cache.keep(tree.files)
        self._hashes.keep(tree.files)
        for key in self._versions.keys() - {f"{name}/{version}" for name in layout for version in layout[name]}:
            del self._versions[key]

    def _service(
        self, name: str, roots: Mapping[str, str], settings: Settings, tree: Tree
    ) -> tuple[Service | None, Bundle | None, list[Diagnostic]]:
        """The service and its policies, or None with errors among what was found."""
        files = tree.of_service(name)
        bundle, found = load_bundle(name, files, "opa" if settings.opa else "embedded")
        settings = _visible(settings, tree.pack_of(name))
        company = _Company(name, tuple(sorted(roots)), settings, bundle, not has_errors(found), files)
        said = [*found]
        versions = []
        for version, root in sorted(roots.items()):
            compiled, problems = self._compiled(version, root, company)
            said.extend(problems)
            if compiled and not has_errors(problems):
                versions.append(compiled)
        if has_errors(said) or not versions:
            return None, None, said
        said.extend(consents(versions, files))
        return Service(name, company.configured.hosts, tuple(versions)), bundle, said

    def _compiled(self, name: str, root: str, company: _Company) -> tuple[Version | None, list[Diagnostic]]:
        """One version, and what is wrong with it on its own and with what it has to do with."""
        files, bundle = company.files, company.bundle
        contract = compile_contract(files, root, service=company.service, version=name, cache=self.cache)
        said = [*contract.diagnostics, *version_problems(contract, company.configured, company.settings, files)]
        if company.policies_hold:
            said.extend(policy_problems(contract, bundle, files))
        if has_errors(said):
            return None, said
        operations, denied = self.configurer.configure(contract.operations, bundle, company.service, name, Spans(files))
        said.extend(denied)
        if has_errors(said):
            return None, said
        version = self._version(replace(contract, operations=operations), company)
        site = Site(company.service, name, company.versions, company.settings.edge.has)
        said.extend(setting_problems(version, site, files))
        return version, said

    def _version(self, contract: Contract, company: _Company) -> Version:
        """The version after the passes: as it was kept, where neither its digest nor the compile-time rules differ.

        Settings hang on those rules, digests do not.
        """
        configured, files = company.configured, company.files
        hashes = {file: self._hashes.of(file, files[file]) for file in contract.files}
        digest = digest_of(contract, configured, company.settings, hashes)
        rules = company.bundle.revision if company.bundle and rules_of(company.bundle) else ""
        key = f"{contract.service}/{contract.version}"
        upstream = configured.upstream_of(contract.version)
        assert upstream is not None, "checked by version_problems"
        if (kept := self._versions.get(key)) and kept[0] == digest + rules:
            return kept[1] if kept[1].upstream == upstream else replace(kept[1], upstream=upstream)
        version = Version(
            contract.service,
            contract.version,
            digest,
            upstream,
            contract.operations,
            contract.schemas,
            contract.files,
            contract.place,
            contract.bases,
        )
        for each in PASSES:
            version = each(version)
        self._versions[key] = (digest + rules, version)
        return version


@dataclass(frozen=True, slots=True)
class _Company:
    """What a version is compiled together with: its service's policies and settings, and the names of its siblings."""

    service: str
    versions: tuple[str, ...]
    settings: Settings
    bundle: Bundle | None
    policies_hold: bool
    files: Mapping[str, bytes]

    @property
    def configured(self) -> ServiceSettings:
        return self.settings.services.get(self.service, _UNCONFIGURED)


_UNCONFIGURED = ServiceSettings()


def _standings(tree: Tree) -> dict[str, Standing]:
    """Whose services are: the project's own, or their pack's, which is that of its namespace if it has one."""
    found: dict[str, Standing] = {}
    for order, (name, member) in enumerate(tree.members.items(), 1):
        pack = tree.packs.get(name)
        owner = (pack and pack.origin.namespace) or name
        found |= dict.fromkeys(member.services, Standing(owner, order))
    return found


def _gateway(services: Mapping[str, Service], settings: Settings, secrets: tuple[Secret, ...]) -> Gateway:
    schemes = tuple(settings.schemes[name] for name in sorted(settings.schemes))
    ordered = tuple(services[name] for name in sorted(services))
    return Gateway(ordered, schemes, settings.edge, settings.listeners, secrets)


def _stops_all(found: Diagnostic) -> bool:
    """Whether what is wrong with settings concerns everybody: not key material, and not what a pack says of its services."""
    ours = found.span is None or pack_of(found.span.file) is None
    return found.is_error and found.code not in KEY_MATERIAL and ours


def _of_packs(found: Iterable[Diagnostic], tree: Tree) -> set[str]:
    """The services of packs whose settings have errors."""
    packs = {pack_of(d.span.file) for d in found if d.is_error and d.span}
    return {service for name, member in tree.members.items() if name in packs for service in member.services}


def _secrets(settings: Settings, previous: Compilation | None) -> tuple[Secret, ...] | None:
    """All key material that is asked for; of what is no good the one before. None if there is none to go on with."""
    before = {secret.name: secret for secret in previous.gateway.secrets} if previous else {}
    found = {name: settings.secrets.get(name) or before.get(name) for name in sorted(settings.wanted)}
    lacking = {name for name, secret in found.items() if secret is None}
    return tuple(filter(None, found.values())) if lacking <= settings.of_packs or settings.closed else None


def _visible(settings: Settings, pack: str | None) -> Settings:
    """The settings with the security schemes that a pack's services may use: the project's and those of the pack."""
    if settings.speakers.keys() <= {None}:
        return settings
    said = settings.speakers.get(None, frozenset()) | settings.speakers.get(pack, frozenset())
    return replace(settings, schemes={name: settings.schemes[name] for name in settings.schemes.keys() & said})
