"""Exports in AWS's own shape: what becomes of each, file by file and note by note, and that it compiles."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.golden.golden import UPDATE
from tests.importing.projects import CASES, FOLDER, filled, imported, texts
from xds.compile import Compiler
from xds.diagnostics import CODES
from xds.importing.files import _yaml
from xds.policy.bundle import load_bundle
from xds.render import as_text
from xds.settings import envs
from xds.source import Tree, load

NOTES = "notes.txt"


@pytest.mark.parametrize("case", CASES)
def test_case(case: str) -> None:
    """Run with SIDEGATE_UPDATE_GOLDEN=1 to write the folder anew."""
    made = imported(case)
    produced = {name: data.decode() for name, data in made.files.items()}
    produced[NOTES] = as_text(made.notes, texts(case))
    folder = FOLDER / case / "expected"
    if UPDATE:
        _rewrite(folder, produced)
    expected = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert produced == expected


def _rewrite(folder: Path, produced: dict[str, str]) -> None:
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        path.unlink()
    for name, text in produced.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_compiles_in_every_environment(case: str) -> None:
    """Nothing is missing but the keys of consumers, which are nobody's to export."""
    files = filled(case)
    for env in (None, *envs(files)):
        compilation = Compiler().compile(Tree(files, env=env))
        assert [d for d in compilation.diagnostics if d.is_error] == []
        assert not compilation.refused


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_aws_is_left(case: str) -> None:
    for name, data in imported(case).files.items():
        assert b"x-amazon" not in data, name
        assert b"stageVariables" not in data, name
        if name.startswith("contracts/"):
            assert yaml.safe_load(data)["openapi"] == "3.0.1"


@pytest.mark.parametrize("case", CASES)
def test_policies_are_closed_by_default(case: str) -> None:
    files = imported(case).files
    services = {name.split("/")[1] for name in files if name.startswith("policies/")}
    assert services
    for service in services:
        _, found = load_bundle(service, files)
        assert not [d for d in found if d.is_error]
        assert b"default allow := false" in files[f"policies/{service}/authz.rego"]


def test_every_code_of_imports_has_a_case() -> None:
    seen = {note.code for case in CASES for note in imported(case).notes}
    assert seen == {code for code in CODES if code.startswith("import-")}


def test_every_note_has_a_place() -> None:
    for case in CASES:
        for note in imported(case).notes:
            assert note.span is not None
            assert note.span.line > 0, note


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "no", "1_000", "0x1F", "12:30", "~", ".5", "2026-01-01", "null", "1.", "é#: x"]
)
def test_texts_stay_texts(text: str) -> None:
    """PyYAML writes YAML 1.1; Sidegate reads 1.2."""
    found, _ = load("x.yaml", _yaml({"key": text, text: 1}).encode())
    assert found is not None
    assert found.value == {"key": text, text: 1}
