"""Outcomes -> JUnit's XML, as CI systems read it (the schema of Jenkins' xunit plugin)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from collections.abc import Sequence

from xds.policy.unit_tests import Result

from .outcome import Outcome, Suite

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold, not even escaped."""


def junit(outcomes: Sequence[Outcome]) -> str:
    """A `testsuites` with a `testsuite` for each kind of tests that there was."""
    root = xml.Element("testsuites", {"name": "sidegate test", **_counts(outcomes)})
    for suite in Suite:
        own = [each for each in outcomes if each.suite is suite]
        if own:
            element = xml.SubElement(root, "testsuite", {"name": str(suite), **_counts(own)})
            for each in own:
                _case(element, each)
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    results = [each.result for each in outcomes]
    return {
        "tests": str(len(results)),
        "failures": str(results.count(Result.FAIL)),
        "errors": str(results.count(Result.ERROR)),
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
