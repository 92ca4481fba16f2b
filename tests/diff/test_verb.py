"""`sidegate diff`: what it reads, prints and exits with."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from xds.cli import main

PETS = """\
openapi: 3.0.3
info: {title: Pets, version: "1"}
servers: [{url: /v1}]
security: []
paths:
  /pets:
    get:
      operationId: list
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
      responses:
        "200": {$ref: "#/components/responses/Pets"}
    delete:
      operationId: clear
      responses: {"204": {description: done}}
components:
  responses:
    Pets:
      description: all of them
      content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Pet"}}}}
  schemas:
    Pet: {type: object, required: [name], properties: {name: {type: string}}}
"""
BROKEN = PETS.replace(
    """    delete:
      operationId: clear
      responses: {"204": {description: done}}
""",
    "",
).replace(
    "maximum: 100}}\n", "maximum: 100}}\n        - {name: kind, in: query, required: true, schema: {type: string}}\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def diff(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and standard output."""
    code = main(["diff", *words])
    return code, capsys.readouterr().out


def git(*words: str) -> str:
    """Run git in the folder at hand, as nobody in particular."""
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout


def project(root: Path, **contracts: str) -> None:
    """Contracts of a service each, version v1, as a project."""
    for service, text in contracts.items():
        (root / "contracts" / service).mkdir(parents=True, exist_ok=True)
        (root / "contracts" / service / "v1.yaml").write_text(text)


def test_two_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.yaml").write_text(PETS)
    Path("new.yaml").write_text(BROKEN)
    code, said = diff(capsys, "old.yaml", "new.yaml")
    assert code == 1
    assert "new.yaml:6:3: error[api-removed-without-deprecation]: DELETE /v1/pets is gone" in said
    assert "  old.yaml:13:5: note: before\n   13 |     delete:\n      |     ^" in said
    assert "new.yaml:11:11: error[new-required-request-parameter]: GET /v1/pets: query parameter kind" in said
    assert said.endswith("2 errors\n")


def test_nothing_breaks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.yaml").write_text(BROKEN)
    Path("new.yaml").write_text(BROKEN.replace("maximum: 100", "maximum: 1000"))
    assert diff(capsys, "old.yaml", "new.yaml") == (0, "nothing breaks clients in 1 operations of 1 contracts\n")


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        (["none"], 0),
        (["error"], 1),
        (["warning"], 1),
        (["api-removed-without-deprecation"], 1),
        (["request-body-removed"], 0),
        (["none,new-required-request-parameter"], 1),
        (["no-such-change"], 2),
    ],
)
def test_what_is_failed_on(here: Path, capsys: pytest.CaptureFixture[str], fail_on: list[str], code: int) -> None:
    Path("old.yaml").write_text(PETS)
    Path("new.yaml").write_text(BROKEN)
    assert diff(capsys, "old.yaml", "new.yaml", *(f"--fail-on={each}" for each in fail_on))[0] == code


def test_a_warning_is_failed_on_if_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.yaml").write_text(PETS.replace("required: [name], ", ""))
    Path("new.yaml").write_text(PETS.replace("required: [name], properties: {name: {type: string}}", "properties: {}"))
    code, said = diff(capsys, "old.yaml", "new.yaml")
    assert code == 0
    assert "warning[response-optional-property-removed]" in said
    assert diff(capsys, "old.yaml", "new.yaml", "--fail-on", "warning")[0] == 1


def test_junit_fails_where_the_command_does(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning is a test that passed, with its text, unless it is failed on."""
    Path("old.yaml").write_text(PETS.replace("required: [name], ", ""))
    Path("new.yaml").write_text(PETS.replace("required: [name], properties: {name: {type: string}}", "properties: {}"))
    for flags, failures in (((), 0), (("--fail-on", "warning"), 1), (("--fail-on", "none"), 0)):
        code, said = diff(capsys, "old.yaml", "new.yaml", "--format", "junit", *flags)
        suite = ElementTree.fromstring(said)
        assert (code, suite.get("failures"), len(suite.findall(".//failure"))) == (failures, str(failures), failures)
        assert "response-optional-property-removed" in said
    Path("new.yaml").write_text(BROKEN)
    code, said = diff(capsys, "old.yaml", "new.yaml", "--format", "junit", "--fail-on", "none")
    assert (code, ElementTree.fromstring(said).get("failures")) == (0, "0")


def test_formats(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.yaml").write_text(PETS)
    Path("new.yaml").write_text(BROKEN)
    words = ("old.yaml", "new.yaml", "--format")
    found = json.loads(diff(capsys, *words, "json")[1])
    assert [(each["code"], each["file"], each["line"], each["related"][0]["line"]) for each in found] == [
        ("api-removed-without-deprecation", "new.yaml", 6, 13),
        ("new-required-request-parameter", "new.yaml", 11, 9),
    ]
    assert found[1]["operations"] == ["GET /v1/pets"]
    run = json.loads(diff(capsys, *words, "sarif")[1])["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted(each["code"] for each in found)
    suite = ElementTree.fromstring(diff(capsys, *words, "junit")[1])
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    assert "::error title=new-required-request-parameter,file=new.yaml,line=11" in diff(capsys, *words, "github")[1]


def test_folders_by_service_and_version(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(here / "old", pets=PETS, cats=PETS)
    project(here / "new", pets=BROKEN, dogs=PETS)
    code, said = diff(capsys, "old", "new")
    assert code == 1
    assert "old/contracts/cats/v1.yaml:1:1: error[contract-removed]: version v1 of cats is gone" in said
    assert "new/contracts/pets/v1.yaml:6:3: error[api-removed-without-deprecation]" in said
    assert said.endswith("new: dogs/v1\n")


@pytest.mark.parametrize(("gone", "code"), [("2020-01-01", 0), ("2999-01-01", 1)])
def test_a_contract_that_is_gone_after_its_sunset(
    here: Path, capsys: pytest.CaptureFixture[str], gone: str, code: int
) -> None:
    """Whom it served is refused already: nobody misses it."""
    for side in ("old", "new"):
        (here / side / "contracts/pets").mkdir(parents=True)
        (here / side / "contracts/pets/v2.yaml").write_text(PETS.replace("/v1", "/v2"))
    old = PETS + f"x-sunset: {gone}\nx-sidegate: {{deprecated: true}}\n"
    (here / "old/contracts/pets/v1.yaml").write_text(old)
    exit_code, said = diff(capsys, "old", "new")
    assert (exit_code, "contract-removed" in said) == (code, bool(code))


def test_an_allowance_for_an_operation_that_never_was(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = "{id: api-removed-without-deprecation, operation: DELETE %s, reason: nobody clears}"
    allowance = "x-sidegate: {breaking: [" + entry + "]}\n"
    (here / "old.yaml").write_text(PETS)
    gone = BROKEN.replace("        - {name: kind, in: query, required: true, schema: {type: string}}\n", "")
    (here / "new.yaml").write_text(gone + allowance % "/v1/pest")
    code, said = diff(capsys, "old.yaml", "new.yaml")
    assert code == 1
    assert "warning[allowance-unmatched]: neither contract has an operation `DELETE /v1/pest`" in said
    assert "help: did you mean `DELETE /v1/pets`?" in said
    (here / "new.yaml").write_text(gone + allowance % "/v1/pets")
    code, said = diff(capsys, "old.yaml", "new.yaml")
    assert (code, "allowed: nobody clears" in said, "unmatched" in said) == (0, True, False)


def test_git_revisions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("init", "-q", "-b", "main")
    shared = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    parts = PETS.replace('"#/components/schemas/Pet"', '"parts/pet.yaml"')
    project(here, pets=parts)
    (here / "contracts/pets/parts").mkdir()
    (here / "contracts/pets/parts/pet.yaml").write_text(yaml.safe_dump(shared))
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (here / "contracts/pets/parts/pet.yaml").write_text(yaml.safe_dump(shared | {"required": []}))
    before = sorted(here.rglob("*.yaml"))
    for words in (
        ("main", "."),
        ("HEAD",),
        ("main:contracts/pets/v1.yaml", "contracts/pets/v1.yaml"),
        ("main", "contracts"),
    ):
        code, said = diff(capsys, *words)
        assert code == 1, words
        assert "contracts/pets/parts/pet.yaml:1:1" in said or "contracts/pets/parts/pet.yaml:" in said
        assert "error[response-property-became-optional]" in said
        assert f"  {words[0].partition(':')[0]}:contracts/pets/parts/pet.yaml:" in said
    git("commit", "-q", "-a", "-m", "second")
    assert diff(capsys, "HEAD~1", "HEAD")[0] == 1
    assert diff(capsys, "HEAD", ".")[0] == 0
    assert sorted(here.rglob("*.yaml")) == before
    assert git("status", "--porcelain") == ""


def test_what_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(here, pets=PETS)
    assert diff(capsys, "nowhere", ".")[0] == 3
    git("init", "-q", "-b", "main")
    for name in ("nowhere", "--upload-pack=x", "main:contracts"):
        assert diff(capsys, "--", name, ".")[0] == 3
    assert diff(capsys)[0] == 2


def test_a_contract_that_does_not_compile_is_a_finding(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.yaml").write_text(PETS)
    Path("new.yaml").write_text(PETS.replace("schemas/Pet", "schemas/Pat"))
    code, said = diff(capsys, "old.yaml", "new.yaml", "--fail-on", "none")
    assert code == 1
    assert "error[ref-unresolved]" in said
    Path("new.yaml").write_text("openapi: [")
    assert diff(capsys, "old.yaml", "new.yaml")[0] == 1
    code, said = diff(capsys, "new.yaml", "old.yaml")
    assert "warning[diff-unread]" in said


def test_the_list_of_ids(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = diff(capsys, "--list", "--format", "json")
    ids = [row["id"] for row in json.loads(said)]
    assert code == 0
    assert ids == sorted(ids)
    assert {"api-removed-without-deprecation", "response-property-became-optional"} <= set(ids)
