"""Outcomes -> JUnit's XML, as CI systems read it (the schema of Jenkins' xunit plugin)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from collections.abc import Sequence

from xds.diagnostics import Diagnostic
from xds.policy.unit_tests import Result

from .outcome import Outcome, Suite

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold, not even escaped."""


def junit(outcomes: Sequence[Outcome], diagnostics: Sequence[Diagnostic] = ()) -> str:
    """A `testsuites` with a `testsuite` for each kind of tests that there was, and one of the diagnostics, which are errors:
    a project that does not compile has few tests or none, and must not look as if it passed."""
    root = xml.Element("testsuites", {"name": "sidegate test", **_counts(outcomes, len(diagnostics))})
    if diagnostics:
        _errors(root, diagnostics)
    for suite in Suite:
        own = [each for each in outcomes if each.suite is suite]
        if own:
            element = xml.SubElement(root, "testsuite", {"name": str(suite), **_counts(own)})
            for each in own:
                _case(element, each)
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _errors(root: xml.Element, diagnostics: Sequence[Diagnostic]) -> None:
    suite = xml.SubElement(root, "testsuite", {"name": "project", **_counts((), len(diagnostics))})
    for each in diagnostics:
        case = xml.SubElement(
            suite, "testcase", classname="project", name=_text(f"{each.code} {each.span}"), time="0.000"
        )
        xml.SubElement(case, "error", message=_text(each.message), type=each.code).text = _text(_told(each))


def _told(found: Diagnostic) -> str:
    """A diagnostic as lines: its place and what is wrong, and what to do about it."""
    place = f"{found.span}: " if found.span else ""
    return f"{place}{found.severity}[{found.code}]: {found.message}" + (f"\nhelp: {found.help}" if found.help else "")


def _counts(outcomes: Sequence[Outcome], broken: int = 0) -> dict[str, str]:
    results = [each.result for each in outcomes]
    return {
        "tests": str(len(results) + broken),
        "failures": str(results.count(Result.FAIL)),
        "errors": str(results.count(Result.ERROR) + broken),
        "time": f"{sum(each.seconds for each in outcomes):.3f}",
    }


def _case(suite: xml.Element, each: Outcome) -> None:
    found = {"classname": each.group, "name": each.name, "time": f"{each.seconds:.3f}"}
    case = xml.SubElement(suite, "testcase", {name: _text(value) for name, value in found.items()})
    if not each.passed:
        tag = "failure" if each.result is Result.FAIL else "error"
        what = xml.SubElement(case, tag, message=_text(each.words), type=str(each.suite))
        what.text = _text(each.detail or f"{each.place}: {each.words}")


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
