"""`sidegate test`: what passes, what fails and where, as text and as JUnit; what is covered, as OPA counts it."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from tests.opa_server import opa_binary  # noqa: F401 - a fixture, which tests take as an argument
from tests.projects import pets, write
from xds.cli import main

TESTS = """\
package pets.authz_test

import data.pets.authz

test_ada_may if authz.allow with input as {"sidegate": {"claims": {"sub": "ada"}}}

test_bob_may_not if {
	not authz.allow with input as {"sidegate": {"claims": {"sub": "bob"}}}
}
"""
WRONG = 'test_bob_may if authz.allow with input as {"sidegate": {"claims": {"sub": "bob"}}}\n'


def _project(root: Path, tests: str = TESTS) -> Path:
    return write(root, {**pets(), "policies/pets/authz_test.rego": tests})


def test_all_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(_project(tmp_path))]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "rego: 2 of 2 pass"


def test_a_failure_has_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(_project(tmp_path, TESTS + WRONG))]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "FAIL rego pets.authz_test test_bob_may  policies/pets/authz_test.rego:10  the rule is not true",
        "rego: 2 of 3 pass",
    ]


def test_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--format", "junit", str(_project(tmp_path, TESTS + WRONG))]) == 1
    (suite,) = xml.fromstring(capsys.readouterr().out)
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    (failed,) = [case for case in suite if case.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("pets.authz_test", "test_bob_may")


def test_a_test_that_does_not_compile_is_a_diagnostic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(_project(tmp_path, "package pets.authz_test\n\ntest_x if {\n"))]) == 1
    assert "policies/pets/authz_test.rego:" in capsys.readouterr().out


def test_tests_are_no_part_of_what_decides(tmp_path: Path) -> None:
    """A test that is broken does not keep the service from being served."""
    assert main(["check", str(_project(tmp_path, "package pets.authz_test\n\ntest_x if {\n"))]) == 0


def test_coverage_is_opas(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    opa_binary: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIDEGATE_OPA", str(opa_binary))
    assert main(["test", "--coverage", str(_project(tmp_path))]) == 0
    assert "missed of policies/pets/authz.rego: lines 7" in capsys.readouterr().out
    assert main(["test", "--fail-under", "99", str(tmp_path)]) == 1


def test_coverage_without_opa_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDEGATE_OPA", "/nowhere/opa")
    assert main(["test", "--coverage", str(_project(tmp_path))]) == 3
    assert "SIDEGATE_OPA" in capsys.readouterr().err


def test_opa_runs_them_too(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    opa_binary: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIDEGATE_OPA", str(opa_binary))
    assert main(["test", "--engine", "opa", str(_project(tmp_path, TESTS + WRONG))]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "FAIL rego pets.authz_test test_bob_may  policies/pets/authz_test.rego:10  the rule is not true",
        "rego: 2 of 3 pass",
    ]


def test_the_example_s_and_init_s_tests_need_no_opa(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The embedded engine crashes where `with` replaces the input of rules that refer to others; it is given the input."""
    assert main(["test", "--engine", "embedded", str(Path(__file__).parents[2])]) == 0
    assert "rego: 12 of 12 pass" in capsys.readouterr().out
    assert main(["init", "--service", "zoo", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["test", "--engine", "embedded", str(tmp_path)]) == 0
    assert "rego: 3 of 3 pass" in capsys.readouterr().out


SEVERAL = """\
package pets.authz_test

import data.pets.authz

who(name) := {"sidegate": {"claims": {"sub": name}}}

test_two_inputs if {
	authz.allow with input as who("ada")
	not authz.allow with input as who("bob")
}

test_one_input_of_many_lines if authz.allow with input as {
	"sidegate": {"claims": {"sub": "ada"}},
}

test_wrong if {
	authz.allow with input as who("bob")
}
"""


def test_inputs_are_given_as_they_were_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--engine", "embedded", str(_project(tmp_path, SEVERAL))]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "FAIL rego pets.authz_test test_wrong  policies/pets/authz_test.rego:16  the rule is not true",
        "rego: 2 of 3 pass",
    ]
