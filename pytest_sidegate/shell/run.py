"""A project's folder -> Done: every test that needs neither pytest nor a service, and what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_sidegate.coverage.data import Asked, Data, UnreadableData, load
from pytest_sidegate.coverage.project import Known, found_opa, reported, shown_by, versions_of
from pytest_sidegate.coverage.report import Report
from pytest_sidegate.coverage.watched import NotingEngine
from pytest_sidegate.project import Staged
from pytest_sidegate.verdicts import DEADLINE_S, Verdicts
from xds.compile import Compilation, Compiler
from xds.diagnostics import Diagnostic, has_errors
from xds.failure import CannotRun
from xds.policy.unit_tests import OpaError, run_opa, run_suite, suites
from xds.project.offline import read_offline

from . import examples
from .outcome import Outcome, of_rego
from .requests import Requests
from .table import Table, strays, tables


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
    versions = versions_of(compilation.gateway)
    known = shown_by(versions, files)
    listed, said = tables(files)
    found = [each for version in versions for each in examples.judged(version, known, files)]
    asked: set[Asked] = set()
    if versions and any(table.rows for table in listed) and not has_errors(compilation.diagnostics):
        outcomes, fresh = _requests(Staged.of(root, env), listed, known, files, asked)
        found += outcomes
        seen = seen.merged(fresh)
    rego, problems = _rego(files, engine)
    if not has_errors(compilation.diagnostics):
        said = (*said, *strays(listed, [f"{version.service}/{version.name}" for version in versions]))
    errors = [d for d in (*compilation.diagnostics, *tree.problems, *said, *problems) if d.is_error]
    seen = seen.merged(Data({}, frozenset(asked)))
    return Done((*found, *rego), tuple(dict.fromkeys(errors)), reported(versions, known, seen, files), files)


def _loaded(paths: Sequence[Path]) -> Data:
    for path in paths:
        if not path.exists():
            raise CannotRun(f"there is no coverage data at {path}")
    try:
        return load(paths)
    except UnreadableData as e:
        raise CannotRun(str(e)) from None


def _requests(
    staged: Staged, listed: Sequence[Table], known: Known, files: Mapping[str, bytes], asked: set[Asked]
) -> tuple[list[Outcome], Data]:
    from xds.policy.engine import EmbeddedEngine

    def engine() -> NotingEngine:
        return NotingEngine(EmbeddedEngine(workers=1, deadline_s=DEADLINE_S), asked)

    with Verdicts(staged.compilation, engine=engine, files=files) as verdicts:
        requests = Requests(verdicts, staged, known, files)
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
