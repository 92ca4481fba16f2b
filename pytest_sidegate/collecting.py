"""pytest's configuration -> the project under test, and the cases of a marker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_sidegate.cases import cases
from pytest_sidegate.client import Exchange
from pytest_sidegate.contract_case import ContractCase, Other
from pytest_sidegate.coverage.plugin import collector_of
from pytest_sidegate.failure.exchanges import of_verdict
from pytest_sidegate.failure.plugin import note
from pytest_sidegate.frame import Sent
from pytest_sidegate.plugin import option
from pytest_sidegate.project import Staged
from pytest_sidegate.verdicts import DEADLINE_S, Verdict, Verdicts
from xds.failure import CannotRun
from xds.model import Version
from xds.native.versions import choice_of
from xds.policy.engine import Engine

_STAGED = pytest.StashKey[Staged]()


def folder_of(config: pytest.Config) -> Path:
    """The project's folder."""
    given = option(config, "dir")
    return config.rootpath / given if given else config.rootpath


def collected(config: pytest.Config) -> Staged:
    """The project as collection reads it, once a session. Raises `UsageError` if it does not compile."""
    if _STAGED not in config.stash:
        try:
            config.stash[_STAGED] = Staged.of(folder_of(config), option(config, "env") or None)
        except CannotRun as problem:
            raise pytest.UsageError(f"sidegate: {problem}") from None
    return config.stash[_STAGED]


def cases_of(config: pytest.Config, marker: pytest.Mark) -> list[ContractCase]:
    """The cases that a marker asks for; a version or operation that there is not is a usage error."""
    staged = collected(config)
    said = {**dict(zip(("service", "version", "operation"), marker.args, strict=False)), **marker.kwargs}
    against = config.getoption("sidegate_against") or said.get("against")
    try:
        version = staged.version(said["service"], said["version"])
        other = _other(staged, version, against) if against and against != version.name else None
    except LookupError as problem:
        raise pytest.UsageError(f"@contract: {problem.args[0]}") from problem
    wanted = said.get("operation")
    found = [
        ContractCase(case, said.get("token"), said.get("key"), other)
        for case in cases(version, staged.shown(version))
        if wanted in (None, case.operation.id, case.operation.name) and said.get("name") in (None, case.name)
    ]
    if not found:
        known = ", ".join(operation.id for operation in version.operations)
        what = f"operation {wanted}" if wanted else "operation"
        raise pytest.UsageError(
            f"@contract: {version.service} {version.name} has no {what} with examples; it has {known}"
        )
    return found


def operations_of(config: pytest.Config, marker: pytest.Mark) -> list[str]:
    """The operations whose requests a marker asks for; a version or operation that there is not is a usage error."""
    service, name, _, operation = marker.args
    try:
        version = collected(config).version(service, name)
    except LookupError as problem:
        raise pytest.UsageError(f"@generated: {problem.args[0]}") from problem
    known = [each.id for each in version.operations]
    if operation is not None and operation not in known:
        raise pytest.UsageError(f"@generated: {service} {name} has no operation {operation}; it has {', '.join(known)}")
    return [each for each in known if operation in (None, each)]


def _other(staged: Staged, version: Version, name: str) -> Other:
    """Another version of the same service, as requests of this one reach it."""
    other = staged.version(version.service, name)
    return Other(other, staged.base(version), staged.base(other), choice_of(version), choice_of(other))


def verdicts_of(config: pytest.Config, staged: Staged, opa: str | None) -> Verdicts:
    """The verdicts of a session: by the engine that it asks for, and seen by its coverage if it has one."""
    collector = collector_of(config)
    engine = engine_of(opa)
    if collector is not None:
        collector.knows(staged.compilation, staged.files)
        engine = collector.engine(engine)

    def seen(verdict: Verdict, sent: Sent) -> None:
        note(config, lambda: of_verdict(verdict, sent, staged.files))
        if collector is not None:
            collector.saw(verdict)

    return Verdicts(staged.compilation, files=staged.files, engine=engine, seen=seen)


def watching(config: pytest.Config, staged: Staged) -> Callable[[Exchange], None]:
    """Who is told of each exchange: the coverage, if there is one, and whoever has the hook."""
    collector = collector_of(config)
    schemes = {scheme.name: scheme for scheme in staged.compilation.gateway.schemes}
    if collector is not None:
        collector.knows(staged.compilation, staged.files)

    def seen(exchange: Exchange) -> None:
        if collector is not None:
            collector.exchanged(exchange, schemes)
        config.hook.pytest_sidegate_exchange(config=config, exchange=exchange)

    return seen


def engine_of(opa: str | None) -> Callable[[], Engine] | None:
    """What opens the engine: the OPA at a URL, or None for the embedded one."""
    if opa is None:
        return None
    from xds.policy.open import open_engine

    return lambda: open_engine(opa, deadline=DEADLINE_S)
