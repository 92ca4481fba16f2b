"""Operations -> services with a contract, a policy and an upstream each, as files of a project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from xds.importing.contract import Made, contract
from xds.importing.files import contract_file, key_files, layer_file, policy_files, settings_file
from xds.importing.integrations import Carried
from xds.importing.keys import Keys
from xds.importing.rego import Access, entrypoint
from xds.importing.stages import Stage, unknown_variables
from xds.importing.upstreams import grouped, target, upstream
from xds.importing.work import Work


def laid_out(work: Work, operations: list[tuple[Made, Carried]]) -> dict[str, bytes]:
    """All files of the project, by name."""
    name = work.sources.service or _slug(work.export.top.text("info", "title"))
    services = grouped([(made.method, what) for made, what in operations], work.stage, name)
    parts: dict[str, list[Made]] = {}
    uris: dict[str, list[Carried]] = {}
    for made, what in operations:
        found = target(what.uri, work.stage) if what.uri else None
        service = services.get(found.origin, name) if found else name
        parts.setdefault(service, []).append(made)
        uris.setdefault(service, []).append(what)
    _apart(work, parts)
    files = _documents(work, parts)
    used = {name for listed in parts.values() for made in listed for name in made.wanted.schemes}
    security = {s.name: s.settings for listed in work.schemes.values() for s in listed if s.name in used}
    return files | _settings(work, {service: uris[service] for service in parts}, security)


def _documents(work: Work, parts: Mapping[str, list[Made]]) -> dict[str, bytes]:
    """Contracts and policies."""
    files = {}
    plain = {s.name: s.plain for listed in work.schemes.values() for s in listed if s.plain}
    for service, made_here in parts.items():
        keys = {**_policy(service), **work.document, **_hoisted(made_here)}
        document = contract(work.export, work.base, made_here, keys, work.paths, plain)
        files[f"contracts/{service}/{work.sources.version}.yaml"] = contract_file(document)
        files |= policy_files(service, _access(made_here))
    return files


def _settings(work: Work, uris: Mapping[str, list[Carried]], security: Mapping[str, Any]) -> dict[str, bytes]:
    """sidegate.yaml, and a layer for each stage."""
    origins = {service: _origins(work, service, uris[service], work.stage) for service in uris}
    files = {"sidegate.yaml": settings_file(origins, security, work.plans), **key_files(security)}
    for stage in work.stages:
        own = {service: _origins(work, service, uris[service], stage) for service in uris}
        differing = {service: url for service, url in own.items() if url != origins[service]}
        files[f"sidegate.{stage.name}.yaml"] = layer_file(stage.name, differing)
    return files


def _policy(service: str) -> Keys:
    return {"policy": rule} if (rule := entrypoint(service)) else {}


def _hoisted(listed: list[Made]) -> Keys:
    """`rewrite` for the document, where every operation that asks the service has the same; it is taken off those."""
    asking = [made for made in listed if not made.refused and "mock" not in made.keys]
    values = [made.keys.get("rewrite") for made in asking]
    if len(values) < 2 or values[0] is None or any(value != values[0] for value in values):
        return {}
    for made in asking:
        del made.keys["rewrite"]
    return {"rewrite": values[0]}


def _apart(work: Work, parts: dict[str, list[Made]]) -> None:
    """A path is one service's: operations of the same path that ask another one are left out."""
    taken: dict[str, str] = {}
    for service, listed in parts.items():
        for made in list(listed):
            owner = taken.setdefault(re.sub(r"\{[^{}]*\}", "{}", made.method.path), service)
            if owner != service:
                listed.remove(made)
                help_ = f"let {owner} answer it too, or give it a path of its own"
                work.notes.left_out(
                    made.method.part,
                    f"{made.method.where} asks {service}, the other methods of the path {owner}",
                    help_,
                )
    for service in [service for service, listed in parts.items() if not listed]:
        del parts[service]


def _origins(work: Work, service: str, uris: Iterable[Carried], stage: Stage | None) -> str:
    """A service's upstream in a stage."""
    found = dict.fromkeys(t.origin for what in uris if what.uri and (t := target(what.uri, stage)))
    url = upstream(next(iter(found), ""), service)
    part = stage.part if stage else work.export.top
    if url.endswith(".invalid"):
        names = ", ".join(dict.fromkeys(n for what in uris for n in unknown_variables(what.uri)))
        why = (
            f"stage variables without a value: {names} (--stages FILE has them)"
            if names
            else "no HTTP service is named"
        )
        work.notes.todo(part, f"{service} has no upstream yet: {why}", f"write it in place of {url} in sidegate.yaml")
    elif len(found) > 1:
        work.notes.lost(
            part, f"{service} has {len(found)} upstreams in stage {stage.name if stage else ''}; {url} is taken"
        )
    return url


def _access(listed: Iterable[Made]) -> Access:
    access = Access()
    for made in listed:
        name, wanted = made.method.id, made.wanted
        if made.refused:
            access.refused[name] = made.refused
            continue
        groups = {(True, True): access.both, (True, False): access.token, (False, True): access.key}
        groups.get((wanted.token, wanted.key), access.everybody).append(name)
        if wanted.scopes:
            access.scopes[name] = wanted.scopes
    return access


def _slug(title: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
    return re.sub("^[0-9-]+", "", words)[:40].rstrip("-") or "api"
