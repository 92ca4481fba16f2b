"""A project's folder -> Done: every test that needs neither pytest nor a service, and what was seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_sidegate.coverage import Data, Report, points, report
from pytest_sidegate.coverage.data import Asked, UnreadableData, load
from pytest_sidegate.coverage.report import Lines
from pytest_sidegate.coverage.watched import NotingEngine
from pytest_sidegate.verdicts import DEADLINE_S, Verdicts
from xds.compile import Compilation, Compiler
from xds.contract.shown import ShownOperation, shown
from xds.diagnostics import Diagnostic
from xds.failure import CannotRun
from xds.model import Place, Version
from xds.offline import read_offline
from xds.policy.unit_tests import OpaError, run_opa, run_suite, suites

from . import examples
from .callers import Callers
from .outcome import Outcome, of_rego
from .requests import Requests
from .table import Table, tables

NO_OPA = "lines of policies are not counted: there is no OPA (SIDEGATE_OPA, or `opa` on PATH)"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `diagnostics` are errors only: what does not compile was not tested."""

    outcomes: tuple[Outcome, ...]
    diagnostics: tuple[Diagnostic, ...]
    report: Report
    files: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.diagnostics and bool(self.outcomes) and all(each.passed for each in self.outcomes)


def run(root: Path, env: str | None, engine: str, data: Sequence[Path]) -> Done:
    """Run all tests of a project. `engine` is `auto`, `opa` or `embedded`, for the policies' own tests; `data` is what other
    runs have seen. Raises CannotRun."""
    tree = read_offline(root, env)
    files = tree.files
    if not any(file.startswith(("contracts/", "policies/")) for file in files):
        raise CannotRun(f"there are neither contracts nor policies in {root}. Next: `sidegate init`")
    seen = _loaded(data)
    compilation = Compiler().compile(tree) if any(f.startswith("contracts/") for f in files) else Compilation()
    versions = [version for service in compilation.gateway.services for version in service.versions]
    known = _shown(versions, files)
    listed, said = tables(files)
    found = [each for version in versions for each in examples.judged(version, known, files)]
    asked: set[Asked] = set()
    if versions and listed:
        outcomes, fresh = _requests(compilation, listed, known, files, asked)
        found += outcomes
        seen = seen.merged(fresh)
    rego, problems = _rego(files, engine)
    errors = [d for d in (*compilation.diagnostics, *tree.problems, *said, *problems) if d.is_error]
    seen = seen.merged(Data({}, frozenset(asked)))
    return Done((*found, *rego), tuple(dict.fromkeys(errors)), reported(versions, known, seen, files), files)


def reported(
    versions: Sequence[Version], known: Mapping[Place, ShownOperation], data: Data, files: Mapping[str, bytes]
) -> Report:
    """The coverage of versions and of the policies beside them, by what was seen."""
    all_points = [point for version in versions for point in points(version, known)]
    titles = {
        (f"{v.service}/{v.name}", operation.id): f"{operation.method} {operation.path.text}"
        for v in versions
        for operation in v.operations
    }
    lines, note = _lines(files, data)
    return report(all_points, titles, data, files, lines, note)


def _lines(files: Mapping[str, bytes], data: Data) -> tuple[tuple[Lines, ...], str]:
    from pytest_sidegate.coverage.rego import ran

    if not suites(files):
        return (), ""
    opa = found_opa()
    if opa is None:
        return (), NO_OPA
    try:
        return ran(files, opa, data.asked), ""
    except OpaError as e:
        return (), f"lines of policies are not counted: {e}"


def _loaded(paths: Sequence[Path]) -> Data:
    for path in paths:
        if not path.exists():
            raise CannotRun(f"there is no coverage data at {path}")
    try:
        return load(paths)
    except UnreadableData as e:
        raise CannotRun(str(e)) from None


def _shown(versions: Sequence[Version], files: Mapping[str, bytes]) -> dict[Place, ShownOperation]:
    found: dict[Place, ShownOperation] = {}
    for version in versions:
        found |= shown(files, version.place.file)
    return found


def _requests(
    compilation: Compilation,
    listed: Sequence[Table],
    known: Mapping[Place, ShownOperation],
    files: Mapping[str, bytes],
    asked: set[Asked],
) -> tuple[list[Outcome], Data]:
    from xds.policy.engine import EmbeddedEngine

    consumers = [row.consumer for table in listed for row in table.rows if row.consumer]
    callers = Callers(compilation, consumers)

    def engine() -> NotingEngine:
        return NotingEngine(EmbeddedEngine(workers=1, deadline_s=DEADLINE_S), asked)

    with Verdicts(callers.compilation, engine=engine, files=files) as verdicts:
        requests = Requests(verdicts, callers, known, files)
        outcomes = [each for table in listed for each in requests.outcomes(table)]
    return outcomes, requests.data


def _rego(files: Mapping[str, bytes], engine: str) -> tuple[list[Outcome], list[Diagnostic]]:
    """The policies' own tests."""
    if engine == "opa" or (engine == "auto" and found_opa()):
        opa = found_opa()
        if opa is None:
            raise CannotRun("this needs OPA: put `opa` on PATH, or its path into SIDEGATE_OPA")
        try:
            return [of_rego(each) for each in run_opa(files, opa)] if suites(files) else [], []
        except OpaError as e:
            raise CannotRun(f"OPA could not run the tests: {e}") from None
    tested: list[Outcome] = []
    said: list[Diagnostic] = []
    for suite in suites(files):
        done, found = run_suite(suite, files)
        tested += [of_rego(each) for each in done]
        said += found
    return tested, said


def found_opa() -> Path | None:
    """SIDEGATE_OPA, or `opa` on PATH. Raises CannotRun if the former leads to nothing."""
    named = os.environ.get("SIDEGATE_OPA")
    if named and not Path(named).is_file():
        raise CannotRun(f"SIDEGATE_OPA is {named}, which is no file")
    found = named or shutil.which("opa")
    return Path(found) if found else None
