"""policies/**/*_test.rego -> an item for each test rule and engine: the embedded one, and OPA where it is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sidegate.opa import NoOpa, found
from xds.diagnostics import Diagnostic
from xds.policy.unit_tests import OpaError, Result, Tested, run_opa, run_suite
from xds.source import read_tree

ENGINES = ("embedded", "opa")


class RegoFailed(AssertionError):
    """A test rule does not hold, or its engine failed."""


class RegoFile(pytest.File):
    """A file of test rules. The rules are those that the outline of the policies has; both engines run the same."""

    def collect(self) -> Iterator[pytest.Item]:
        root, file = _project(self.path)
        if root is None:
            return
        for rule in _rules(self.config, root, file):
            for engine in ENGINES:
                yield RegoItem.from_parent(self, name=f"{rule.rule}[{engine}]", tested=rule, root=root, engine=engine)


class RegoItem(pytest.Item):
    """One test rule, by one engine."""

    def __init__(self, *, tested: Tested, root: Path, engine: str, **more: Any) -> None:
        super().__init__(**more)
        self.tested, self.root, self.engine = tested, root, engine

    def runtest(self) -> None:
        results = _results(self.config, self.root, self.engine, self.tested)
        got = results.get(self.tested.rule)
        if got is None:
            raise RegoFailed(f"{self.engine} does not run data.{self.tested.rule.replace('/', '.')}")
        if got.result is not Result.PASS:
            why = got.words or "the rule is not true"
            raise RegoFailed(f"{got.result.upper()} data.{got.rule.replace('/', '.')}  {got.place}  {why}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, RegoFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, (self.tested.place.line or 1) - 1, self.name


_EMBEDDED = pytest.StashKey[dict[tuple[Path, str], dict[str, Tested]]]()
_OPA = pytest.StashKey[dict[Path, dict[str, Tested]]]()


def _project(path: Path) -> tuple[Path | None, str]:
    """The folder that has the policies of a file, and the file's name in it."""
    for folder in path.parents:
        if folder.name == "policies":
            return folder.parent, path.relative_to(folder.parent).as_posix()
    return None, ""


def _suite(config: pytest.Config, root: Path, suite: str) -> dict[str, Tested]:
    """The results of a suite by the embedded engine, run once a session."""
    known = config.stash.setdefault(_EMBEDDED, {})
    if (root, suite) not in known:
        done, problems = run_suite(suite, read_tree(root).files)
        if errors := [str(each) for each in problems if _is_error(each)]:
            raise RegoFailed(f"the policies of {suite} cannot be tested: {'; '.join(errors)[:2000]}")
        known[root, suite] = {tested.rule: tested for tested in done}
    return known[root, suite]


def _is_error(diagnostic: Diagnostic) -> bool:
    return diagnostic.is_error


def _rules(config: pytest.Config, root: Path, file: str) -> list[Tested]:
    """The test rules of a file, in the order of their places."""
    try:
        suite = _suite(config, root, file.split("/")[1])
    except RegoFailed as failed:
        raise pytest.Collector.CollectError(str(failed)) from failed
    return [tested for tested in suite.values() if tested.place.file == file]


def _results(config: pytest.Config, root: Path, engine: str, tested: Tested) -> dict[str, Tested]:
    if engine == "embedded":
        return _suite(config, root, tested.place.file.split("/")[1])
    known = config.stash.setdefault(_OPA, {})
    if root not in known:
        try:
            known[root] = {each.rule: each for each in run_opa(read_tree(root).files, found())}
        except NoOpa as reason:
            pytest.skip(str(reason))
        except OpaError as failed:
            raise RegoFailed(f"OPA could not run the tests: {failed}") from failed
    return known[root]
