"""Lines of policies: what their own tests ran, and what contract tests asked, counted by a real OPA in one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_sidegate.coverage.data import Asked
from pytest_sidegate.coverage.rego import ran
from pytest_sidegate.coverage.report import Mark
from tests.coverage_of_contracts.shop import project
from tests.opa_server import opa_binary  # noqa: F401 - a fixture, which tests take as an argument
from xds.cli import main

AUTHZ = """\
package shop.authz

import data.platform.claims

default allow := false

allow if input.sidegate.operation_id == "getThing"

allow if {
	input.sidegate.operation_id == "addThing"
	claims.is_buyer
}

reasons contains "only buyers add things" if input.sidegate.operation_id == "addThing"

reasons contains "nobody asked" if input.sidegate.operation_id == "none"
"""
CLAIMS = """\
package platform.claims

is_buyer if "buyer" in input.sidegate.claims.roles
"""
TEST = """\
package shop.authz_test

test_get if data.shop.authz.allow with input as {"sidegate": {"operation_id": "getThing"}}
"""
FILES = {
    "policies/shop/authz.rego": AUTHZ.encode(),
    "policies/platform/claims.rego": CLAIMS.encode(),
    "policies/shop/authz_test.rego": TEST.encode(),
}


def asked(operation: str, *roles: str) -> Asked:
    return Asked("shop/authz/allow", json.dumps({"sidegate": {"operation_id": operation, "claims": {"roles": roles}}}))


def missed(opa: Path, *questions: Asked) -> dict[str, list[int]]:
    lines = ran(FILES, opa, questions)
    return {each.file: [n for n, mark in each.marks.items() if mark is not Mark.SEEN] for each in lines}


def test_questions_are_merged_with_tests(opa_binary: Path) -> None:  # noqa: F811
    """Reasons are asked beside the decision, as the companion does; what nobody asked stays missed."""
    alone = missed(opa_binary)
    assert {file: [n for n in lines if n in (3, 11, 14)] for file, lines in alone.items()} == {
        "policies/shop/authz.rego": [11, 14],
        "policies/platform/claims.rego": [3],
    }
    denied = missed(opa_binary, asked("addThing"))
    assert 14 not in denied["policies/shop/authz.rego"], "the reason was asked for"
    assert 16 in denied["policies/shop/authz.rego"]
    allowed = missed(opa_binary, asked("addThing"), asked("addThing", "buyer"))
    assert allowed["policies/platform/claims.rego"] == []
    assert len(allowed["policies/shop/authz.rego"]) < len(alone["policies/shop/authz.rego"])


def test_files_of_the_merge_are_not_shown(opa_binary: Path) -> None:  # noqa: F811
    assert {each.file for each in ran(FILES, opa_binary, [asked("getThing")])} == {
        "policies/shop/authz.rego",
        "policies/platform/claims.rego",
    }


def test_in_the_shell(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    opa_binary: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The policy has no test of its own: requests of the table ran all of it."""
    monkeypatch.setenv("SIDEGATE_OPA", str(opa_binary))
    assert main(["test", "--format", "json", "--html", str(tmp_path / "page.html"), str(project(tmp_path))]) == 0
    found = json.loads(capsys.readouterr().out)["coverage"]
    assert found["policies"]["policies/shop/authz.rego"]["missed"] == []
    assert found["policies"]["policies/shop/authz.rego"]["all"] >= 6
    assert "note" not in found
    assert "policies/shop/authz.rego" in (tmp_path / "page.html").read_text()


def test_a_path_that_leads_to_no_opa_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEGATE_OPA", "/nowhere/opa")
    assert main(["test", "--engine", "embedded", str(project(tmp_path))]) == 3
