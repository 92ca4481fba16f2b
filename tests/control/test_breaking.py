"""A contract that breaks clients of the one that is served is not published; the old one serves, also over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import CONTRACT, POLICY, SETTINGS, pets
from xds.explain import explain_operation
from xds.project.project import Project

STRICT = SETTINGS.replace("publish: {breaking: allow}\n", "")
NARROW = CONTRACT.replace("maximum: 100", "maximum: 50")
WIDE = CONTRACT.replace("maximum: 100", "maximum: 1000")
WHY = "x-sidegate: {breaking: [{id: %s, operation: GET /pets/v1/pets, reason: nobody asks for more}]}\n"
ALLOWED = WHY % "request-parameter-max-decreased" + NARROW


def write(root: Path, **changes: str) -> None:
    for name, text in pets(settings=STRICT, **changes).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    write(tmp_path / "project")
    made = Project(tmp_path / "project", tmp_path / "state")
    assert made.compile().digests.keys() == {"pets/v1"}
    return made


def restarted(project: Project) -> Project:
    return Project(project.root, project.state)


def codes(project: Project) -> tuple[dict[str, str], list[str]]:
    compilation = project.compile()
    return compilation.digests, [d.code for d in compilation.diagnostics]


def test_the_old_one_serves_and_both_places_are_told(project: Project) -> None:
    before = project.compile().digests
    write(project.root, contract=NARROW)
    for again in (project, project, restarted(project), restarted(project)):
        compilation = again.compile()
        assert compilation.digests == before
        assert compilation.refused == {"pets"}
        [found] = compilation.diagnostics
        assert found.code == "contract-breaking"
        assert found.message.startswith(
            "request-parameter-max-decreased: GET /pets/v1/pets: query parameter limit: maximum 100 became 50"
        )
        assert str(found.span) == "contracts/pets/v1.yaml:9:81"
        assert [(str(at), word) for at, word in found.related] == [
            ("contracts/pets/v1.yaml (as served):9:81", "before")
        ]
        assert "x-sidegate: {breaking: [{id: request-parameter-max-decreased, operation: GET /pets/v1/pets" in (
            found.help or ""
        )


def test_policies_stay_with_the_contract_that_they_were_written_for(project: Project) -> None:
    before = project.compile().bundles["pets"].revision
    write(project.root, contract=NARROW, policy=POLICY.replace('"ada"', '"ida"'))
    for again in (project, restarted(project)):
        assert again.compile().bundles["pets"].revision == before


def test_what_breaks_nobody_goes_out(project: Project) -> None:
    before = project.compile().digests
    write(project.root, contract=WIDE)
    digests, found = codes(project)
    assert (digests == before, found) == (False, [])
    write(project.root, contract=CONTRACT)
    assert codes(project) == (digests, ["contract-breaking"]), "the wide one is what is served now"


def test_taken_back_is_as_if_nothing_had_been(project: Project) -> None:
    before = project.compile().digests
    write(project.root, contract=NARROW)
    project.compile()
    write(project.root, contract=CONTRACT)
    assert codes(project) == (before, [])


def test_allowed_by_name_with_a_reason(project: Project) -> None:
    before = project.compile().digests
    write(project.root, contract=WHY % "request-parameter-min-increased" + NARROW)
    assert codes(project) == (before, ["contract-breaking"]), "another change is allowed"
    write(project.root, contract=ALLOWED)
    compilation = project.compile()
    assert compilation.digests != before
    assert [(d.code, d.message.rpartition("; ")[2]) for d in compilation.diagnostics] == [
        ("contract-breaking-allowed", "allowed: nobody asks for more")
    ]
    assert codes(restarted(project))[0] == compilation.digests


def test_an_allowance_names_a_change_that_there_is(project: Project) -> None:
    write(project.root, contract=WHY % "request-parameter-max-decreasd" + NARROW)
    [found] = project.compile().diagnostics
    assert (found.code, found.help) == ("extension-value", "did you mean `request-parameter-max-decreased`?")


def test_an_allowance_names_an_operation_that_there_is(project: Project) -> None:
    before = project.compile().digests
    write(project.root, contract=ALLOWED.replace("GET /pets/v1/pets", "GET /pets/v1/pest"))
    compilation = project.compile()
    assert compilation.digests == before
    assert {(d.code, d.help) for d in compilation.diagnostics if d.code == "allowance-unmatched"} == {
        ("allowance-unmatched", "did you mean `GET /pets/v1/pets`?")
    }
    assert [d.code for d in compilation.diagnostics if d.is_error] == ["contract-breaking"]


def test_settings_allow_everything(project: Project) -> None:
    before = project.compile().digests
    write(project.root, contract=NARROW)
    (project.root / "sidegate.yaml").write_text(SETTINGS)
    digests, found = codes(project)
    assert (digests == before, found) == (False, [])


def test_a_word_that_nobody_knows_allows_nothing(project: Project) -> None:
    (project.root / "sidegate.yaml").write_text(STRICT + "publish: {breaking: maybe}\n")
    compilation = project.compile()
    assert [d.code for d in compilation.diagnostics] == ["settings-invalid"]
    assert not compilation.settings.breaking


def test_what_only_responses_lead_to_is_looked_at(tmp_path: Path) -> None:
    """The compiler does not read responses; what is kept of a service holds their files all the same."""
    answer = '{description: ok, content: {application/json: {schema: {$ref: "parts/pet.yaml"}}}}'
    contract = CONTRACT.replace('responses: {"200": {description: ok}}', f'responses: {{"200": {answer}}}', 1)
    write(tmp_path, contract=contract)
    part = tmp_path / "contracts/pets/parts/pet.yaml"
    part.parent.mkdir()
    part.write_text("{type: object, required: [name], properties: {name: {type: string}}}\n")
    Project(tmp_path, tmp_path / "state").compile()
    part.write_text("{type: object, properties: {name: {type: string}}}\n")
    for again in (Project(tmp_path, tmp_path / "state"), Project(tmp_path, tmp_path / "state")):
        [found] = again.compile().diagnostics
        assert found.code == "contract-breaking"
        assert found.message.startswith("response-property-became-optional")
        assert found.span is not None
        assert found.span.file == "contracts/pets/parts/pet.yaml"


def test_another_version_is_another_contract(project: Project) -> None:
    (project.root / "contracts/pets/v2.yaml").write_text(NARROW.replace("/pets/v1", "/pets/v2"))
    digests, found = codes(project)
    assert digests.keys() == {"pets/v1", "pets/v2"}
    assert found == []


def test_the_control_planes_word_counts(project: Project) -> None:
    """Of changes in quick succession two processes may see different ones; a companion then follows its control plane."""
    before = project.compile().digests["pets/v1"]
    write(project.root, contract=NARROW)
    narrow = project.compile().withheld["pets/v1"]
    project.compatibility.accepted = {"pets/v1": narrow}
    assert codes(project) == ({"pets/v1": narrow}, [])
    project.compatibility.accepted, project.compatibility.withheld = {}, {"pets/v1": narrow}
    assert project.take_back("pets")
    assert codes(project) == ({"pets/v1": before}, ["contract-breaking"])
    assert codes(restarted(project)) == ({"pets/v1": before}, ["contract-breaking"])


def test_explain_shows_what_may_break(project: Project) -> None:
    write(project.root, contract=ALLOWED)
    compilation = project.compile()
    version = compilation.gateway.services[0].versions[0]
    told = {
        operation.id: explain_operation(version, operation, None, project.tree.files)["may break"]
        for operation in version.operations
    }
    assert told["listPets"] == [{"change": "request-parameter-max-decreased", "reason": "nobody asks for more"}]
    assert told["addPet"] == []
