"""Compile-time rules: what they give, what they forbid, and that nothing is served where they fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.projects import pets, tree
from xds.compile import Compilation, Compiler
from xds.model import Operation

GIVES = """\
package pets.config

settings.timeout := "3s" if input.public

settings.timeout := "1s" if "slow" in input.tags
"""
EVERYBODY = """\
package platform.guardrails

settings := {"timeout": "9s"}
"""
AUTH = """\
package platform.guardrails

deny contains "only the pages service may be public" if {
	input.public
	input.service != "pages"
}
"""


def _compiled(**rules: str) -> Compilation:
    names = {"own": "policies/pets/config.rego", "platform": "policies/platform/guardrails.rego"}
    return Compiler().compile(tree({**pets(), **{names[name]: text for name, text in rules.items()}}))


def _timeouts(compilation: Compilation) -> dict[str, float | None]:
    (service,) = compilation.gateway.services
    return {o.id: o.native.timeout for o in service.versions[0].operations}


def test_rules_give_settings_to_operations() -> None:
    """Those of the service go before those of the platform, which hold for all others."""
    assert _timeouts(_compiled(own=GIVES)) == {"listPets": None, "addPet": None, "open": 3.0}
    assert _timeouts(_compiled(own=GIVES, platform=EVERYBODY)) == {"listPets": 9.0, "addPet": 9.0, "open": 3.0}


def test_the_contract_goes_before_the_rules() -> None:
    said = {"contract": pets()["contracts/pets/v1.yaml"].replace("{policy: none,", "{timeout: 5s, policy: none,")}
    files = {**pets(**said), "policies/platform/guardrails.rego": EVERYBODY}
    assert _timeouts(Compiler().compile(tree(files)))["open"] == 5.0


def test_a_violation_names_the_rule_and_the_operation() -> None:
    compilation = _compiled(platform=AUTH)
    assert compilation.refused == {"pets"}
    (found,) = compilation.diagnostics
    assert found.code == "config-denied"
    assert found.message == "GET /pets/v1/open: only the pages service may be public"
    assert found.span
    assert (found.span.file, found.span.line) == ("policies/platform/guardrails.rego", 3)
    ((operation, words),) = found.related
    assert (operation.file, operation.line, words) == ("contracts/pets/v1.yaml", 25, "this operation")


def test_denials_see_what_is_in_force() -> None:
    """The settings that a denial looks at are those that rules and contract gave together."""
    forbid = (
        'package pets.config\n\ndeny contains {"msg": "too long", "help": "3s"} if input.settings.timeout == "9s"\n'
    )
    found = _compiled(own=forbid, platform=EVERYBODY).diagnostics
    assert [(d.code, d.help) for d in found] == [("config-denied", "3s")] * 3


@pytest.mark.parametrize(
    ("rule", "code", "words"),
    [
        ('settings := {"timeot": "2s"}', "config-invalid", "`timeot`"),
        ('settings := {"timeout": "2"}', "config-invalid", "`timeout`"),
        ('settings := "x"', "config-invalid", "must be an object"),
        ("deny := 3", "config-invalid", "must be a set of texts"),
        ('settings.timeout := "2s"\n\nsettings.timeout := "3s" if input.public', "config-failed", "fails"),
    ],
)
def test_a_rule_that_says_nothing_sensible_refuses_the_service(rule: str, code: str, words: str) -> None:
    compilation = _compiled(own=f"package pets.config\n\n{rule}\n")
    assert compilation.refused == {"pets"}
    assert {d.code for d in compilation.diagnostics} == {code}
    assert words in compilation.diagnostics[0].message
    assert compilation.diagnostics[0].span
    assert compilation.diagnostics[0].span.file == "policies/pets/config.rego"


def test_a_timeout_of_a_rule_is_checked_as_the_contract_s_is() -> None:
    """The place is the rule's, since there is nothing in the contract to correct."""
    (found,) = _compiled(own='package pets.config\n\nsettings.timeout := "0s" if input.public\n').diagnostics
    assert (found.code, found.span and found.span.file) == ("extension-value", "policies/pets/config.rego")
    assert found.related[0][0].file == "contracts/pets/v1.yaml"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("deni", "deny"),
        ("dney", "deny"),
        ("denys", "deny"),
        ("setting", "settings"),
        ("Settings", "settings"),
        *((name, None) for name in ("deny", "allowed", "denied", "public", "reset")),
    ],
)
@pytest.mark.parametrize(
    ("where", "package"), [("own", "pets.config"), ("platform", "platform.rules"), ("own", "pets.other")]
)
def test_a_rule_that_nothing_asks_for_is_told(name: str, meant: str | None, where: str, package: str) -> None:
    compilation = _compiled(**{where: f'package {package}\n\n{name} contains "x" if input.never\n'})
    found = [d for d in compilation.diagnostics if d.code == "rule-misspelt"]
    if meant is None or package == "pets.other":
        assert found == []
        return
    assert [(d.is_error, d.help) for d in found] == [(False, f"did you mean `{meant}`?")]
    assert str(found[0].span).startswith(("policies/pets/config.rego:3:1", "policies/platform/guardrails.rego:3:1"))


def test_equal_questions_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rule does not read is no part of the question; an operation that did not change is not asked about again."""
    from xds.policy.evaluation import Evaluation

    asked: list[Any] = []
    value = Evaluation.value
    monkeypatch.setattr(Evaluation, "value", lambda self, *of: asked.append(of) or value(self, *of))
    compiler, files = Compiler(), {**pets(), "policies/platform/guardrails.rego": AUTH.replace("pages", "pets")}
    first = compiler.compile(tree(files))
    assert len(asked) == 2  # public or not, for three operations
    again = compiler.compile(tree(files))
    assert len(asked) == 2
    assert _operations(first) == _operations(again)


def _operations(compilation: Compilation) -> list[Operation]:
    return [o for s in compilation.gateway.services for v in s.versions for o in v.operations]
