"""`sidegate test`: a project's folder -> do its contracts, requests and policies keep what they say, and what was not tried.

`xds/cli.py` names this module as text: `xds` imports nothing of this package, and this verb judges requests as the gateway
does. pytest is not needed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sidegate.coverage.report import Report
    from pytest_sidegate.shell.run import Done


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("dir", nargs="?", type=Path, default=Path(), help="the project's folder (default: .)")
    parser.add_argument("--env", metavar="NAME", help="the layer sidegate.NAME.yaml over sidegate.yaml")
    words = "what runs the policies' tests: OPA (SIDEGATE_OPA, or `opa` on PATH) or the embedded engine; auto is OPA if found"
    parser.add_argument("--engine", choices=("auto", "embedded", "opa"), default="auto", help=words)
    parser.add_argument("--format", choices=("text", "json", "junit"), default="text", help="what is printed")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit's XML")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the coverage as a page that needs no network")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the coverage as JSON")
    parser.add_argument("--coverage", action="store_true", help="print what each operation lacks, with its line")
    words = "add what other runs have seen: a file, or a folder such as .sidegate/coverage, where pytest leaves it"
    parser.add_argument("--data", type=Path, action="append", default=[], metavar="PATH", help=words)
    words = "exit with 1 if less of contracts and policies was seen"
    parser.add_argument("--fail-under", type=_percent, metavar="PERCENT", help=words)
    parser.epilog = "Exit codes: 0 all tests pass, 1 some do not or too little was seen, 2 usage, 3 could not run."


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError("a percentage is 0 to 100")
    return value


def run(options: argparse.Namespace) -> int:
    """Run everything. Returns 1 if a test does not pass, a file is broken, or less was seen than asked for."""
    from pytest_sidegate.coverage.page import page
    from pytest_sidegate.shell.junit import junit
    from pytest_sidegate.shell.run import run as run_all

    done = run_all(options.dir, options.env, options.engine, options.data)
    _write(options.junit, junit(done.outcomes, done.diagnostics))
    _write(options.html, page(done.report))
    _write(options.json, json.dumps(done.report.document(), indent=2) + "\n")
    low = options.fail_under is not None and done.report.falls_short(options.fail_under)
    if options.format == "junit":
        print(junit(done.outcomes, done.diagnostics), end="")
    elif options.format == "json":
        print(json.dumps(_document(done), indent=2))
    else:
        print("\n".join(_lines(done, options.coverage, options.fail_under if low else None)))
    return 0 if done.passed and not low else 1


def _write(path: Path | None, text: str) -> None:
    from xds.failure import CannotRun

    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise CannotRun(f"{path} cannot be written: {(e.strerror or str(e)).lower()}") from None


def _document(done: Done) -> dict[str, object]:
    return {
        "tests": [
            {
                "suite": str(each.suite),
                "group": each.group,
                "name": each.name,
                "place": str(each.place),
                "result": str(each.result),
                **({"message": each.words, "detail": each.detail} if not each.passed else {}),
            }
            for each in done.outcomes
        ],
        "diagnostics": [{"code": d.code, "message": d.message, "place": str(d.span)} for d in done.diagnostics],
        "coverage": done.report.document(),
    }


def _lines(done: Done, missing: bool, wanted: float | None) -> list[str]:
    from pytest_sidegate.coverage.text import summary
    from xds.render import FORMATS
    from xds.terminal import palette

    found = (
        [FORMATS["text"](done.diagnostics, done.files, palette(sys.stdout)).rstrip("\n")] if done.diagnostics else []
    )
    found += [line for each in done.outcomes if not each.passed for line in _failure(each)]
    found += _counts(done)
    if missing:
        found += ["", *summary(done.report)]
    else:
        found.append(_covered(done.report))
    if wanted is not None:
        found.append(f"coverage of {done.report.total} is less than {wanted:g} %")
    return found


def _failure(outcome: object) -> list[str]:
    from pytest_sidegate.shell.outcome import Outcome
    from xds.terminal import clean

    assert isinstance(outcome, Outcome)
    at = f"{outcome.place.file}:{outcome.place.line}"
    head = f"{outcome.result.upper()} {outcome.suite} {outcome.group} {outcome.name}  {at}  {outcome.words}"
    return [clean(head), *(f"  {clean(line)}" for line in outcome.detail.splitlines())]


def _counts(done: Done) -> list[str]:
    from pytest_sidegate.shell.outcome import Suite

    found: list[str] = []
    for suite in Suite:
        own = [each for each in done.outcomes if each.suite is suite]
        if own:
            found.append(f"{suite}: {sum(each.passed for each in own)} of {len(own)} pass")
    return found or ["there is nothing to test: no examples, no requests, no tests of policies"]


def _covered(report: Report) -> str:
    from pytest_sidegate.coverage.points import Kind

    operations, total = report.count(Kind.OPERATION), report.total
    words = f"{operations.seen} of {operations.all} operations covered"
    note = f" ({report.note})" if report.note else ""
    return f"{words}; {total} of everything, {total.seen} of {total.all}{note}"
