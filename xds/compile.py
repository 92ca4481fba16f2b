"""Tree -> Compilation: every service's contracts and policies as one model, or diagnostics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from posixpath import basename, splitext

from xds.contract import Cache, Contract, compile_contract
from xds.diagnostics import Diagnostic, Span, did_you_mean, has_errors
from xds.listeners import Secret
from xds.model import (
    Gateway,
    JwtScheme,
    KeyScheme,
    Operation,
    Place,
    Scheme,
    SchemeKind,
    Service,
    TlsScheme,
    Upstream,
    Version,
)
from xds.native import Site
from xds.native import problems as problems_of
from xds.native.matching import apart
from xds.passes import PASSES
from xds.policy.bundle import Bundle, check_entrypoint, default_entrypoint, load_bundle
from xds.policy.config import Configurer, Spans, rules_of
from xds.settings import FILE, ServiceSettings, Settings, parse_settings
from xds.settings.tls import CODES as KEY_MATERIAL
from xds.settings.tls import now
from xds.source import Tree, span

FORMAT = 1
"""Part of every digest: raised when the same files begin to be judged differently."""


@dataclass(frozen=True, slots=True)
class Compilation:
    """One project, compiled.

    `gateway` and `bundles` hold only services without errors; `refused` names the others; `diagnostics` are all that was
    found. With errors in the settings nothing compiles: `gateway` is empty and `refused` is every service.
    """

    gateway: Gateway = Gateway((), ())
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    diagnostics: tuple[Diagnostic, ...] = ()
    settings: Settings = field(default_factory=Settings)

    @property
    def digests(self) -> dict[str, str]:
        """`service/version` -> digest, of what compiled."""
        return {f"{v.service}/{v.name}": v.digest for s in self.gateway.services for v in s.versions}

    def service(self, name: str) -> Service | None:
        return next((s for s in self.gateway.services if s.name == name), None)


@dataclass(slots=True)
class Compiler:
    """Compiles a project again and again, keeping what did not change.

    The result is a function of the tree and of what `previous` served: the caches only save work. `closed` and `clock` are
    those of `xds.settings.parse_settings`.
    """

    cache: Cache = field(default_factory=Cache)
    configurer: Configurer = field(default_factory=Configurer)
    _versions: dict[str, tuple[str, Version]] = field(default_factory=dict)
    _hashes: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _shapes: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    clock: Callable[[], datetime] | None = now

    def compile(self, tree: Tree, previous: Compilation | None = None) -> Compilation:
        """Compile a whole tree. Services that `previous` holds win where a new one claims their paths."""
        settings, found = parse_settings(tree.files, tree.env, closed=self.closed, clock=self.clock)
        layout, misplaced = lay_out(tree)
        diagnostics = [*tree.problems, *found, *misplaced]
        names = sorted({*layout, *_services_of(tree.problems), *_services_of(misplaced)})
        secrets = _secrets(settings, previous)
        if secrets is None or any(d.is_error and d.code not in KEY_MATERIAL for d in found) or not names:
            if not names:
                diagnostics.append(
                    Diagnostic("no-contracts", "no contract found in contracts/<service>/<version>.yaml")
                )
            return Compilation(refused=frozenset(names), diagnostics=tuple(diagnostics), settings=settings)
        diagnostics.extend(_unknown_services(settings, layout, tree))
        services: dict[str, Service] = {}
        bundles: dict[str, Bundle] = {}
        broken = _services_of(d for d in (*tree.problems, *misplaced) if d.is_error)
        for name in names:
            service, bundle, said = self._service(name, layout.get(name, {}), settings, tree)
            diagnostics.extend(said)
            if service and not has_errors(said) and name not in broken and "platform" not in broken:
                services[name] = service
                if bundle:
                    bundles[name] = bundle
        collisions = tuple(_collisions(services, previous, tree.files)) if self._shared(services) else ()
        diagnostics.extend(d for _, d in collisions)
        for name, _ in collisions:
            services.pop(name, None)
            bundles.pop(name, None)
        self._let_go(layout, tree)
        schemes = tuple(settings.schemes[name] for name in sorted(settings.schemes))
        gateway = Gateway(
            tuple(services[name] for name in sorted(services)), schemes, settings.edge, settings.listeners, secrets
        )
        refused = frozenset(names) - services.keys()
        diagnostics.extend(() if refused else _unmatched(gateway, tree.files))
        return Compilation(gateway, bundles, refused, tuple(diagnostics), settings)

    def _shared(self, services: Mapping[str, Service]) -> bool:
        """Whether a path is in two versions, whosever they are."""
        versions = [version for service in services.values() for version in service.versions]
        if len(versions) < 2:
            return False
        before, self._shapes = self._shapes, {}
        paths: set[str] = set()
        count = 0
        for version in versions:
            own = {operation.path.text: operation for operation in version.operations}
            shapes = {text: before.get(text) or _shape(operation) for text, operation in own.items()}
            self._shapes |= shapes
            distinct = set(shapes.values())
            count += len(distinct)
            paths |= distinct
        return count > len(paths)

    def _let_go(self, layout: Mapping[str, Mapping[str, str]], tree: Tree) -> None:
        """Drop what is kept of versions and files that are gone."""
        self.cache.keep(tree.files)
        for file in self._hashes.keys() - tree.files.keys():
            del self._hashes[file]
        for key in self._versions.keys() - {f"{name}/{version}" for name in layout for version in layout[name]}:
            del self._versions[key]

    def _hash(self, file: str, data: bytes) -> str:
        """The SHA-256 of a file, once for the same object."""
        known = self._hashes.get(file)
        if known is None or known[0] is not data:
            known = self._hashes[file] = data, hashlib.sha256(data).hexdigest()
        return known[1]

    def _service(
        self, name: str, roots: Mapping[str, str], settings: Settings, tree: Tree
    ) -> tuple[Service | None, Bundle | None, list[Diagnostic]]:
        said: list[Diagnostic] = []
        bundle, found = load_bundle(name, tree.files, "opa" if settings.opa else "embedded")
        said.extend(found)
        configured = settings.services.get(name, ServiceSettings())
        versions = []
        for version, root in sorted(roots.items()):
            contract = compile_contract(tree.files, root, service=name, version=version, cache=self.cache)
            problems = [*contract.diagnostics, *_version_problems(contract, configured, settings, tree.files)]
            if not has_errors(found):
                problems.extend(_policy_problems(contract, bundle, tree.files))
            if not has_errors(problems):
                spans = Spans(tree.files)
                operations, denied = self.configurer.configure(contract.operations, bundle, name, version, spans)
                problems.extend(denied)
                contract = replace(contract, operations=operations)
            rules = bundle.revision if bundle and rules_of(bundle) else ""
            version_ = (
                None if has_errors(problems) else self._version(contract, configured, settings, tree.files, rules)
            )
            if version_:
                site = Site(name, version, tuple(sorted(roots)), settings.edge.has)
                problems.extend(_setting_problems(version_, site, tree.files))
            said.extend(problems)
            if version_ and not has_errors(problems):
                versions.append(version_)
        if has_errors(said) or not versions:
            return None, None, said
        return Service(name, configured.hosts, tuple(versions)), bundle, said

    def _version(
        self,
        contract: Contract,
        configured: ServiceSettings,
        settings: Settings,
        files: Mapping[str, bytes],
        rules: str,
    ) -> Version:
        """The version after the passes. `rules` is the revision of compile-time rules: settings hang on it, digests do not."""
        digest = digest_of(contract, configured, settings, {f: self._hash(f, files[f]) for f in contract.files})
        key = f"{contract.service}/{contract.version}"
        upstream = configured.upstream_of(contract.version)
        assert upstream is not None, "checked by _version_problems"
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
        )
        for each in PASSES:
            version = each(version)
        self._versions[key] = (digest + rules, version)
        return version


def _secrets(settings: Settings, previous: Compilation | None) -> tuple[Secret, ...] | None:
    """All key material that is asked for; of what is no good the one before. None if there is none to go on with."""
    before = {secret.name: secret for secret in previous.gateway.secrets} if previous else {}
    found = [settings.secrets.get(name) or before.get(name) for name in sorted(settings.wanted)]
    return tuple(filter(None, found)) if None not in found or settings.closed else None


def lay_out(tree: Tree) -> tuple[dict[str, dict[str, str]], list[Diagnostic]]:
    """service -> version -> root file, by `contracts/<service>/<version>.yaml` or `<version>/openapi.yaml`."""
    layout: dict[str, dict[str, str]] = {}
    found: list[Diagnostic] = []
    for file in sorted(tree.files):
        if file.count("/") > 3:
            continue
        parts = file.split("/")
        if parts[0] != "contracts" or len(parts) > 4:
            continue
        stem, extension = splitext(basename(file))
        if len(parts) == 2 and extension in (".yaml", ".yml", ".json"):
            help_ = f"move it to contracts/<service>/{parts[1]}"
            found.append(
                Diagnostic("contract-misplaced", "a contract belongs in its service's folder", Span(file), help_)
            )
        if len(parts) < 3 or extension not in (".yaml", ".yml", ".json") or (len(parts) == 4 and stem != "openapi"):
            continue
        service, version = parts[1], stem if len(parts) == 3 else parts[2]
        if other := layout.setdefault(service, {}).get(version):
            message = f"version {version} of {service} is also written in {other}"
            found.append(Diagnostic("version-twice", message, Span(file), "keep one of the two"))
        layout[service][version] = file
    return layout, found


def digest_of(contract: Contract, configured: ServiceSettings, settings: Settings, hashes: Mapping[str, str]) -> str:
    """16 hex digits over all that decides how a version's requests are judged and where they go, policies apart.

    `hashes` are those of the contract's files.
    """
    schemes = [asdict(_without_keys(settings.schemes[n])) for n in sorted(contract.schemes) if n in settings.schemes]
    upstream = configured.upstream_of(contract.version)
    about = {
        "format": FORMAT,
        "service": contract.service,
        "version": contract.version,
        "upstream": asdict(_undiscovered(upstream)) if upstream else None,
        "hosts": configured.hosts,
        "schemes": schemes,
    }
    content = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    content.update("".join(f"\0{file}\0{hashes[file]}" for file in sorted(hashes)).encode())
    return content.hexdigest()[:16]


def _undiscovered(upstream: Upstream) -> Upstream:
    """An upstream without what may change while nothing else does: where it is written, and endpoints that are discovered."""
    if upstream.traffic.discovered:
        return replace(upstream, place=Place(""), host="", port=0, endpoints=())
    return replace(upstream, place=Place(""))


def _without_keys(scheme: Scheme) -> Scheme:
    """A scheme without where it is written, and without keys that come and go: nobody but the proxy looks at those."""
    placeless = replace(scheme, place=Place(""))
    return replace(placeless, keys=()) if isinstance(placeless, KeyScheme) else placeless


def _version_problems(
    contract: Contract, configured: ServiceSettings, settings: Settings, files: Mapping[str, bytes]
) -> Iterator[Diagnostic]:
    if configured.upstream_of(contract.version) is None:
        help_ = f'in {FILE}: services: {{{contract.service}: {{upstream: "http://127.0.0.1:9000"}}}}'
        message = f"{contract.service} {contract.version} has no upstream"
        yield Diagnostic("upstream-missing", message, Span(contract.place.file, 1, 1), help_)
    kinds = {c.scheme: c.kind for o in contract.operations for a in o.security for c in a.credentials}
    for name in sorted(kinds.keys() - settings.schemes.keys()):
        if name in contract.schemes:
            help_ = f"in {FILE}: security: {{{name}: {_CONFIGURED[kinds[name]]}}}"
            at = span(files, contract.schemes[name].place)
            yield Diagnostic("scheme-unconfigured", f"security scheme '{name}' is not configured in {FILE}", at, help_)
    for name in sorted(kinds.keys() & settings.schemes.keys()):
        if not isinstance(settings.schemes[name], _SETTINGS[kinds[name]]):
            message = f"security scheme '{name}' is of type {kinds[name]} in the contract, and of another in {FILE}"
            help_ = f"in {FILE}: security: {{{name}: {_CONFIGURED[kinds[name]]}}}"
            related = ((span(files, contract.schemes[name].place), "declared here"),)
            yield Diagnostic("scheme-mismatch", message, span(files, settings.schemes[name].place), help_, related)


_SETTINGS: Mapping[SchemeKind, type[Scheme]] = {
    SchemeKind.JWT: JwtScheme,
    SchemeKind.KEY: KeyScheme,
    SchemeKind.BASIC: KeyScheme,
    SchemeKind.TLS: TlsScheme,
}
_CONFIGURED = {
    SchemeKind.JWT: "{issuer: ..., audiences: [...], jwks: {file: ...}}",
    SchemeKind.KEY: "{keys: {file: keys/consumers.yaml}}",
    SchemeKind.BASIC: "{keys: {file: keys/users.yaml}}",
    SchemeKind.TLS: '{certificates: {"spiffe://example.com/name": consumer}}',
}


def _setting_problems(version: Version, site: Site, files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """What the features find wrong with the operations' settings; a setting that many operations share is told once."""
    told = set()
    for operation in version.operations:
        for setting, problem in problems_of(operation, site) if operation.settings else ():
            place = replace(setting.place, pointer=setting.place.pointer + problem.pointer)
            if (place, problem.message) not in told:
                told.add((place, problem.message))
                where = setting.rule or span(files, place)
                also = ((span(files, operation.place), "this operation"),) if setting.rule else ()
                yield Diagnostic(problem.code, problem.message, where, problem.help, also)


def _unmatched(gateway: Gateway, files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """Patches of clusters and routes that are not there: somebody meant a check that is not made."""
    versions = [version for service in gateway.services for version in service.versions]
    names = {
        "cluster": [f"{v.service}/{v.name}" for v in versions],
        "route": [f"{v.service}/{v.name}/{o.id}" for v in versions for o in v.operations],
    }
    for patch in gateway.edge.patches:
        known = names.get(patch.resource)
        if known is not None and not any(patch.touches(patch.resource, name) for name in known):
            message = f"the patch {patch.name} matches no {patch.resource}: `{patch.match}`"
            yield Diagnostic("patch-unmatched", message, span(files, patch.place), did_you_mean(patch.match, known))


def _policy_problems(contract: Contract, bundle: Bundle | None, files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """Operations that no rule decides, one finding for all that choose nothing, one for each rule that is not there."""
    deciding = [o for o in contract.operations if o.policy.exempt is None]
    chosen = {o.policy.entrypoint: o for o in reversed(deciding) if o.policy.entrypoint is not None}
    for entrypoint in sorted(chosen) if bundle else ():
        if bundle and (problem := check_entrypoint(bundle, entrypoint)):
            yield replace(problem, span=problem.span or span(files, chosen[entrypoint].policy.place))
    default = default_entrypoint(bundle) if bundle else None
    if isinstance(default, Diagnostic):
        if any(o.policy.entrypoint is None for o in deciding):
            yield default
        return
    unbound = [o for o in deciding if bundle is None or (o.policy.entrypoint is None and default is None)]
    if unbound:
        more = f" (and {len(unbound) - 1} more of this contract)" if len(unbound) > 1 else ""
        message = f"no policy decides {unbound[0].method} {unbound[0].path.text}{more}: every request is refused"
        name = contract.service
        help_ = f"define data.{name}.authz.allow in policies/{name}/, or say `policy: none` with a `reason`"
        yield Diagnostic("policy-unbound", message, span(files, unbound[0].place), help_)


def _collisions(
    services: Mapping[str, Service], previous: Compilation | None, files: Mapping[str, bytes]
) -> Iterator[tuple[str, Diagnostic]]:
    """Services that claim a path another one has, each with its diagnostic. Who is served already keeps the path."""
    served = {s.name for s in previous.gateway.services} if previous else set()
    owners: dict[str, list[_Claim]] = {}
    for name in sorted(services, key=lambda n: (n not in served, n)):
        claims = list(_claims(services[name]))
        mine: dict[str, list[_Claim]] = {}
        for claim in claims:
            others = [c for c in owners.get(claim.shape, ()) if _share_host(claim.service, c.service)]
            before = mine.setdefault(claim.shape, [])
            others += [c for c in before if c.version is not claim.version and not _apart(claim.operation, c.operation)]
            before.append(claim)
            if others:
                yield name, _collision(claim, others[0], files)
                break
        else:
            for claim in claims:
                owners.setdefault(claim.shape, []).append(claim)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A path that an operation claims. `shape` is the template without its variables' names: equal shapes match alike."""

    shape: str
    service: Service
    version: Version
    operation: Operation


def _claims(service: Service) -> Iterator[_Claim]:
    for version in service.versions:
        for operation in version.operations:
            yield _Claim(_shape(operation), service, version, operation)


def _apart(one: Operation, other: Operation) -> bool:
    """Whether requests for one path of two versions tell which is meant: by method, where either asks for more than that."""
    mine, theirs = one.native.match, other.native.match
    return bool(mine or theirs) and (one.method != other.method or apart(mine, theirs))


def _collision(claim: _Claim, other: _Claim, files: Mapping[str, bytes]) -> Diagnostic:
    mine, theirs = claim.version, other.version
    message = (
        f"{claim.operation.path.text} of {mine.service} {mine.name} is also a path of {theirs.service} {theirs.name}"
        f" ({other.operation.path.text})"
    )
    help_ = "give the versions different `servers` paths or a `match` that tells them apart, or the services different hosts"
    also = ((span(files, other.operation.place), "the other one"),)
    return Diagnostic("path-collision", message, span(files, claim.operation.place), help_, also)


def _shape(operation: Operation) -> str:
    """A path template with its variables' names taken out: equal shapes match the same paths."""
    segments = ("".join(p if isinstance(p, str) else "{}" for p in s.parts) for s in operation.path.segments)
    return "/".join(segments)


def _share_host(one: Service, other: Service) -> bool:
    return not one.hosts or not other.hosts or bool(set(one.hosts) & set(other.hosts))


def _unknown_services(settings: Settings, layout: Mapping[str, Mapping[str, str]], tree: Tree) -> Iterator[Diagnostic]:
    for name, service in settings.services.items():
        if name not in layout:
            at = span(tree.files, service.place)
            yield Diagnostic("service-unknown", f"there is no folder contracts/{name}", at, did_you_mean(name, layout))
            continue
        for version in sorted(service.versions.keys() - layout[name].keys()):
            said = service.versions[version].place.file
            at = span(tree.files, Place(said, f"{service.place.pointer}/versions/{version}"))
            help_ = did_you_mean(version, layout[name])
            yield Diagnostic("service-unknown", f"there is no contract for {name} {version}", at, help_)


def _services_of(diagnostics: Iterable[Diagnostic]) -> set[str]:
    """The services whose folders hold the diagnostics' files."""
    paths = (d.span.file.split("/") for d in diagnostics if d.span)
    return {p[1] for p in paths if p[0] in ("contracts", "policies") and len(p) > 2}
