"""What is wrong between the rooms: contract against settings, against policy, settings against what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from xds.contract import Contract
from xds.diagnostics import Diagnostic, Span, did_you_mean
from xds.model import Gateway, JwtScheme, KeyScheme, Place, Scheme, SchemeKind, TlsScheme, Version
from xds.native import Site, problems_of_all
from xds.native import problems as problems_of
from xds.policy.bundle import Bundle, check_entrypoint, default_entrypoint
from xds.settings import FILE, ServiceSettings, Settings
from xds.source import Tree, span

from .layout import Layout


def version_problems(
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
    yield from _behind_logins(contract, settings, files)


def _behind_logins(contract: Contract, settings: Settings, files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """Operations on the paths of a login, which are the gateway's own on every host."""
    logins = [(s, s.login) for s in settings.schemes.values() if isinstance(s, JwtScheme) and s.login]
    taken = {path: scheme for scheme, login in logins for path in (login.redirect, login.signout)}
    for operation in contract.operations if taken else ():
        if (scheme := taken.get(operation.path.text)) is not None:
            message = f"{operation.path.text} is a path of {scheme.name}'s login, so that nobody reaches the operation"
            also = ((span(files, scheme.place), "the login"),)
            help_ = f"give `redirect` and `signout` in {FILE} paths that no contract has"
            yield Diagnostic("path-overlap", message, span(files, operation.place), help_, also)


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


def policy_problems(contract: Contract, bundle: Bundle | None, files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
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


def setting_problems(version: Version, site: Site, files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """What the features find wrong with the operations' settings; a setting that many operations share is told once."""
    told = set()
    for setting, problem in problems_of_all(version.operations):
        place = replace(setting.place, pointer=setting.place.pointer + problem.pointer)
        yield Diagnostic(problem.code, problem.message, span(files, place), problem.help)
    for operation in version.operations:
        for setting, problem in problems_of(operation, site) if operation.settings else ():
            place = replace(setting.place, pointer=setting.place.pointer + problem.pointer)
            if (place, problem.message) not in told:
                told.add((place, problem.message))
                where = setting.rule or span(files, place)
                also = ((span(files, operation.place), "this operation"),) if setting.rule else ()
                yield Diagnostic(problem.code, problem.message, where, problem.help, also)


def unmatched_patches(gateway: Gateway, files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
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


def unknown_services(settings: Settings, layout: Layout, tree: Tree) -> Iterator[Diagnostic]:
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
