"""`sidegate import aws-apigateway`: exit codes, what is written and what never is, words that make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.importing.projects import FOLDER
from xds.cli import main

CLEAN: dict[str, Any] = {
    "openapi": "3.0.1",
    "info": {"title": "Ping", "version": "1"},
    "paths": {
        "/ping": {
            "get": {
                "responses": {"200": {"description": "ok"}},
                "x-amazon-apigateway-integration": {
                    "type": "http_proxy", "httpMethod": "GET", "uri": "http://127.0.0.1:9000/ping",
                },
            }
        }
    },
}  # fmt: skip


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(CLEAN))
    return path


def _import(*words: object) -> int:
    try:
        return main(["import", "aws-apigateway", *map(str, words)])
    except SystemExit as left:
        return int(left.code or 0)


def test_clean_is_0(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = export.parent / "out"
    assert _import(export, "--out", out) == 0
    assert "note[import-differs]" in capsys.readouterr().out
    assert main(["check", str(out)]) == 0
    assert (out / "contracts/ping/v1.yaml").is_file()


def test_something_without_equivalent_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(FOLDER / "lost" / "export.json", "--out", tmp_path, "--format", "json") == 1
    notes = json.loads(capsys.readouterr().out)
    listed = notes["diagnostics"] if isinstance(notes, dict) else notes
    assert any(note["code"] == "import-refused" for note in listed)


def test_nothing_is_overwritten(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = export.parent / "out"
    (out / "contracts/ping").mkdir(parents=True)
    (out / "contracts/ping/v1.yaml").write_text("mine")
    assert _import(export, "--out", out) == 3
    assert "nothing was written" in capsys.readouterr().err
    assert [p.name for p in out.rglob("*") if p.is_file()] == ["v1.yaml"]
    assert (out / "contracts/ping/v1.yaml").read_text() == "mine"
    assert _import(export, "--out", out, "--force") == 0
    assert (out / "contracts/ping/v1.yaml").read_text() != "mine"


def test_swagger_2_says_how_to_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "export.json"
    path.write_text('{"swagger": "2.0", "paths": {}}')
    assert _import(path, "--out", tmp_path / "out") == 3
    assert "--export-type oas30" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "export.json:1"),
        ("[]", "holds no object"),
        ('{"openapi": "3.1.0"}', "no OpenAPI 3.0"),
        ('{"openapi": "3.0.1"}', "no paths"),
        ('{"openapi": "3.0.1", "paths": {"/a": {"get": {}}}}', "extensions=apigateway"),
    ],
)
def test_what_is_no_export_is_3(text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "export.json"
    path.write_text(text)
    assert _import(path, "--out", tmp_path / "out") == 3
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--service", "No Name"),
        ("--version", "../x"),
        ("--base-path", "prod"),
        ("--unvalidated", "off"),
        ("--stages",),
    ],
)
def test_words_that_make_no_sense_are_2(words: tuple[str, ...], export: Path) -> None:
    assert _import(export, "--out", export.parent / "out", *words) == 2
    assert not (export.parent / "out").exists()


def test_a_source_is_named() -> None:
    with pytest.raises(SystemExit) as left:
        main(["import"])
    assert left.value.code == 2


@pytest.mark.parametrize("flag", ["--stages", "--usage-plans"])
def test_other_files_must_hold_what_they_are_for(flag: str, export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(export, flag, export, "--out", export.parent / "out") == 3
    assert "is what get-" in capsys.readouterr().err
    assert _import(export, flag, export.parent / "none.json", "--out", export.parent / "out") == 3


def test_an_unknown_stage_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = FOLDER / "rest"
    words = ("--stages", rest / "stages.json", "--stage", "staging", "--out", tmp_path / "out")
    assert _import(rest / "export.json", *words) == 3
    assert "there are prod, test" in capsys.readouterr().err


def test_names_and_paths_can_be_chosen(export: Path) -> None:
    out = export.parent / "out"
    words = ("--service", "p", "--version", "2", "--base-path", "/api", "--unvalidated", "enforce", "--out", out)
    assert _import(export, *words) == 0
    text = (out / "contracts/p/2.yaml").read_text()
    assert "url: /api" in text
    assert "strip: /api" in text
    assert "mode" not in text
    assert "undeclared" not in text


def test_help_says_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert _import("--help") == 0
    said = capsys.readouterr().out
    for word in (
        "--stages",
        "--usage-plans",
        "--stage",
        "--base-path",
        "--audience",
        "--force",
        "get-export",
        "Exit codes",
    ):
        assert word in said


def test_what_waits_for_keys_compiles_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file that the note names is there, and `sidegate key new` goes on with it."""
    scheme = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    keyed = {**CLEAN, "components": {"securitySchemes": {"api_key": scheme}}}
    keyed["paths"] = {"/ping": {"get": {**CLEAN["paths"]["/ping"]["get"], "security": [{"api_key": []}]}}}
    (tmp_path / "export.json").write_text(json.dumps(keyed))
    out = tmp_path / "out"
    assert _import(tmp_path / "export.json", "--out", out) == 0
    assert "keys/api_key.yaml holds none yet" in capsys.readouterr().out
    assert main(["check", "--format", "json", str(out)]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["code"], found["severity"]) == ("keys-empty", "warning")
    assert main(["key", "new", "mobile", "--scheme", "api_key", "--dir", str(out)]) == 0
    assert main(["check", str(out)]) == 0


@pytest.mark.parametrize("name", ["Dev Stage!", ""])
def test_a_stage_that_cannot_be_one_is_named(export: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    stages = export.parent / "stages.json"
    stages.write_text(json.dumps({"item": [{"stageName": name}, {"stageName": "prod"}]}))
    out = export.parent / "out"
    assert _import(export, "--stages", stages, "--out", out) == 1
    assert f"stages.json:1:11: warning[import-no-equivalent]: the stage '{name}'" in capsys.readouterr().out
    assert [path.name for path in out.glob("sidegate.*.yaml")] == ["sidegate.prod.yaml"]
