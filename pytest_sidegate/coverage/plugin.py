"""pytest's options -> what was collected in every process, merged; a summary, pages, and an exit code, as pytest-cov has them.

Nothing is imported and nothing written unless an option asks for coverage.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .collector import Collector
    from .report import Report

FOLDER = ".sidegate/coverage"
_BEFORE = "before.json"
_TYPES = ("term", "term-missing", "html", "json")
_REPORT: pytest.StashKey[Report] = pytest.StashKey()
_FAILED: pytest.StashKey[str] = pytest.StashKey()
_COLLECTOR: pytest.StashKey[Collector] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, spelled as pytest-cov spells its own."""
    group = parser.getgroup("sidegate", "contract tests")
    words = "coverage of contracts and policies by what the tests asked"
    group.addoption("--sidegate-cov", action="store_true", help=words)
    words = "how it is told: term, term-missing, html[:FILE], json[:FILE]; may be given several times"
    group.addoption("--sidegate-cov-report", action="append", default=[], type=_report, metavar="TYPE", help=words)
    words = "fail if less than so many percent was seen"
    group.addoption("--sidegate-cov-fail-under", type=_percent, metavar="N", help=words)
    words = "add to what earlier runs have seen"
    group.addoption("--sidegate-cov-append", action="store_true", help=words)


def _report(text: str) -> tuple[str, str]:
    kind, _, file = text.partition(":")
    if kind not in _TYPES or (file and kind.startswith("term")):
        raise ValueError(f"{text!r} is none of {', '.join(_TYPES)}")
    return kind, file or {"html": "sidegate-coverage.html", "json": "sidegate-coverage.json"}.get(kind, "")


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise ValueError(f"{text} is no percentage")
    return value


def asked_for(config: pytest.Config) -> bool:
    """Whether an option asks for coverage."""
    names = ("sidegate_cov", "sidegate_cov_report", "sidegate_cov_append")
    return any(config.getoption(name) for name in names) or config.getoption("sidegate_cov_fail_under") is not None


def collector_of(config: pytest.Config) -> Collector | None:
    """What collects in this process; None if nobody asks for coverage. Whoever judges a request tells it (`saw`), and lets
    its engine answer (`engine`)."""
    if not asked_for(config):
        return None
    if _COLLECTOR not in config.stash:
        from .collector import Collector

        config.stash[_COLLECTOR] = Collector()
    return config.stash[_COLLECTOR]


def folder_of(config: pytest.Config) -> Path:
    """Where the processes of a run leave what they saw."""
    return project_of(config) / FOLDER


def project_of(config: pytest.Config) -> Path:
    """The folder of the project under test."""
    given = config.getoption("sidegate_dir", default=None) or config.getini("sidegate_dir")
    return config.rootpath / given if given else config.rootpath


def _worker(config: pytest.Config) -> str | None:
    """This process's name among those of pytest-xdist; None for the one that tells of all."""
    found: dict[str, Any] | None = getattr(config, "workerinput", None)
    return str(found["workerid"]) if found is not None else None


def pytest_configure(config: pytest.Config) -> None:
    """Forget what earlier runs saw, or keep it together in one file."""
    if not asked_for(config) or _worker(config) is not None or config.getoption("collectonly", False):
        return
    from .data import UnreadableData, load, write

    folder = folder_of(config)
    try:
        before = load([folder]) if config.getoption("sidegate_cov_append") and folder.is_dir() else None
    except UnreadableData as e:
        raise pytest.UsageError(f"--sidegate-cov-append: {e}") from None
    for file in folder.glob("*.json"):
        file.unlink(missing_ok=True)
    if before is not None:
        write(before, folder / _BEFORE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Whatever is seen now is seen by this test."""
    collector = collector_of(item.config)
    if collector is not None:
        collector.test = item.nodeid
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write what this process saw; the one that tells of all puts it together, and fails the run if it is too little."""
    config = session.config
    if not asked_for(config) or config.getoption("collectonly", False):
        return
    from xds.failure import CannotRun

    from .data import UnreadableData, write

    worker, collector = _worker(config), config.stash.get(_COLLECTOR, None)
    if collector is not None and (collector.hits or collector.asked):
        write(collector.data, folder_of(config) / f"{worker or 'main'}.json")
    if worker is not None:
        return
    wanted = config.getoption("sidegate_cov_fail_under")
    try:
        config.stash[_REPORT] = found = _put_together(config)
        _pages(config, found)
        short = wanted is not None and found.falls_short(wanted)
    except (CannotRun, UnreadableData, OSError) as e:
        config.stash[_FAILED] = str(e)
        short = True
    if short and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _put_together(config: pytest.Config) -> Report:
    from xds.compile import Compiler
    from xds.project.offline import read_offline

    from .data import load
    from .project import reported, shown_by, versions_of

    folder = folder_of(config)
    data = load([folder] if folder.is_dir() else [])
    tree = read_offline(project_of(config))
    versions = versions_of(Compiler().compile(tree).gateway)
    return reported(versions, shown_by(versions, tree.files), data, tree.files)


def _pages(config: pytest.Config, found: Report) -> None:
    import json

    from .page import page

    for kind, file in config.getoption("sidegate_cov_report"):
        if kind in ("html", "json"):
            path = config.invocation_params.dir / file
            path.parent.mkdir(parents=True, exist_ok=True)
            text = page(found) if kind == "html" else json.dumps(found.document(), indent=2) + "\n"
            path.write_text(text, encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, and where the pages are."""
    if (words := config.stash.get(_FAILED, None)) is not None:
        terminalreporter.section("coverage of contracts")
        terminalreporter.line(f"there is no coverage: {words}", red=True)
    found = config.stash.get(_REPORT, None)
    if found is None:
        return
    from .text import summary

    kinds = dict(config.getoption("sidegate_cov_report"))
    terminalreporter.section("coverage of contracts")
    if not kinds or "term" in kinds or "term-missing" in kinds:
        for line in summary(found, missing="term-missing" in kinds):
            terminalreporter.line(line)
    for kind in ("html", "json"):
        if kind in kinds:
            terminalreporter.line(f"{kind} written to {kinds[kind]}")
    wanted = config.getoption("sidegate_cov_fail_under")
    if wanted is not None:
        short = found.falls_short(wanted)
        words = f"required {wanted:g} % {'not reached' if short else 'reached'}: {found.total}"
        terminalreporter.line(words, red=short, green=not short)
