"""`sidegate test`: the policies' unit tests -> which of them hold, and how much of the policies they cover."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import xml.etree.ElementTree as xml
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xds.failure import CannotRun

if TYPE_CHECKING:
    from xds.policy.unit_tests import Coverage, Tested


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("dir", nargs="?", type=Path, default=Path(), help="the project's folder (default: .)")
    words = "what runs the tests: OPA (SIDEGATE_OPA, or `opa` on PATH) or the embedded engine; auto is OPA where it is found"
    parser.add_argument("--engine", choices=("auto", "embedded", "opa"), default="auto", help=words)
    parser.add_argument("--format", choices=("text", "junit"), default="text")
    parser.add_argument(
        "--coverage", action="store_true", help="ask OPA (SIDEGATE_OPA, or `opa` on PATH) what is covered"
    )
    parser.add_argument("--fail-under", type=float, metavar="PERCENT", help="exit with 1 if a policy is covered less")
    parser.epilog = "Exit codes: 0 all tests pass, 1 some do not, 2 usage, 3 could not run."


def run(options: argparse.Namespace) -> int:
    """Run the tests of every folder of `policies/`. Returns 1 if one does not pass or coverage is too low."""
    from xds.policy.unit_tests import OpaError, Result, coverage, run_opa, run_suite, suites
    from xds.render import FORMATS
    from xds.source import read_tree
    from xds.terminal import palette

    tree = read_tree(options.dir)
    tested: list[Tested] = []
    diagnostics = list(tree.problems)
    if not suites(tree.files):
        raise CannotRun(f"there are no policies in {options.dir / 'policies'}. Next: `sidegate init`")
    covered: Mapping[str, Coverage] = {}
    try:
        if options.engine == "opa" or (options.engine == "auto" and _found()):
            tested = run_opa(tree.files, _opa())
        else:
            for suite in suites(tree.files):
                done, found = run_suite(suite, tree.files)
                tested += done
                diagnostics += [d for d in found if d.is_error and d not in diagnostics]
        if options.coverage or options.fail_under is not None:
            covered = coverage(tree.files, _opa())
    except OpaError as e:
        raise CannotRun(f"OPA could not run the tests: {e}") from None
    if options.format == "junit":
        print(_junit(tested))
    else:
        print(FORMATS["text"](diagnostics, tree.files, palette(sys.stdout)), end="")
        print("\n".join(_lines(tested, covered)))
    low = [c for c in covered.values() if c.percent < (options.fail_under or 0)]
    return 1 if diagnostics or low or any(t.result is not Result.PASS for t in tested) else 0


def _found() -> Path | None:
    found = os.environ.get("SIDEGATE_OPA") or shutil.which("opa")
    return Path(found) if found and Path(found).is_file() else None


def _opa() -> Path:
    found = _found()
    if found is None:
        raise CannotRun("this needs OPA: put `opa` on PATH, or its path into SIDEGATE_OPA")
    return found


def _lines(tested: Sequence[Tested], covered: Mapping[str, Coverage]) -> list[str]:
    lines = [
        f"{t.result.upper()} data.{t.rule.replace('/', '.')}  {t.place.file}:{t.place.line}"
        + (f"  {t.words}" if t.words else "")
        for t in tested
        if t.result != "pass"
    ]
    passed = sum(t.result == "pass" for t in tested)
    lines.append(f"{passed} of {len(tested)} tests pass")
    for file, found in covered.items():
        lacking = f"  not covered: {_ranges(found.lacking)}" if found.lacking else ""
        lines.append(f"{found.percent:5.1f} %  {file}{lacking}")
    return lines


def _ranges(numbers: Sequence[int]) -> str:
    """Line numbers, neighbours as `3-5`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


def _junit(tested: Sequence[Tested]) -> str:
    """The results in JUnit's XML, as CI systems read it."""
    failed, errors = (sum(t.result == word for t in tested) for word in ("fail", "error"))
    suite = xml.Element("testsuite", name="rego", tests=str(len(tested)), failures=str(failed), errors=str(errors))
    for t in tested:
        package, _, name = t.rule.rpartition("/")
        case = xml.SubElement(
            suite, "testcase", classname=package.replace("/", "."), name=name, file=t.place.file, line=str(t.place.line)
        )
        if t.result != "pass":
            tag = "failure" if t.result == "fail" else "error"
            xml.SubElement(case, tag, message=t.words or "the rule is not true")
    return xml.tostring(suite, encoding="unicode")
