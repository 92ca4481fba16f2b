"""Every behaviour of the contract front end: contract in, model and diagnostics out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.golden import compare
from xds.contract import Contract, compile_contract
from xds.diagnostics import CODES, Diagnostic, has_errors
from xds.model import Name, PathTemplate, Place, SchemaRef, Shape
from xds.source import excerpt

FOLDER = Path(__file__).parent / "contract"
CASES = sorted(p.name for p in FOLDER.iterdir() if p.is_dir())
OUTPUTS = ("diagnostics.txt", "model.yaml")


def compiled(case: str) -> tuple[Contract, dict[str, bytes]]:
    inside = FOLDER / case
    files = {
        f"contracts/pets/v1/{p.relative_to(inside).as_posix()}": p.read_bytes()
        for p in sorted(inside.rglob("*"))
        if p.is_file() and p.name not in OUTPUTS
    }
    root = next(name for name in files if name.rpartition("/")[2].startswith("contract."))
    return compile_contract(files, root, service="pets", version="v1"), files


@pytest.mark.parametrize("case", CASES)
def test_case(case: str) -> None:
    contract, files = compiled(case)
    produced: dict[str, str] = {}
    if contract.diagnostics:
        produced["diagnostics.txt"] = "".join(shown(d, files) for d in contract.diagnostics)
    if not has_errors(contract.diagnostics):
        produced["model.yaml"] = yaml.safe_dump(model(contract), sort_keys=False, width=120, allow_unicode=True)
    compare(FOLDER / case, produced, OUTPUTS)


def test_every_code_has_a_case() -> None:
    """Codes that need a folder, a clock or thousands of paths are shown elsewhere, by name."""
    elsewhere = {"file-unreadable": "tests/source/test_tree.py", "path-budget": "tests/contract/test_hostile.py"}
    ours = set(CODES_OF_CONTRACTS.split())
    seen = {d.code for case in CASES for d in compiled(case)[0].diagnostics}
    assert ours - seen == set(elsewhere)
    assert seen <= ours, "a code that is missing in the list above"
    for code, path in elsewhere.items():
        assert f'"{code}"' in (FOLDER.parents[2] / path).read_text()


CODES_OF_CONTRACTS = """
allowance-unmatched
file-unreadable path-escapes yaml-syntax json-syntax yaml-tag duplicate-key document-budget number-range openapi-version
wrong-type unknown-field not-supported ref-remote ref-unresolved ref-cycle ref-misplaced ref-siblings server-url path-syntax
path-unreachable path-parameter path-duplicate path-overlap path-budget method operation-id operation-id-changed
operation-id-duplicate parameter-field parameter-style parameter-duplicate parameter-ignored media-type body-content
body-meaningless security-scheme security-unknown security-unsupported security-roles security-optional security-none
scope-meaningless
scope-undeclared
extension-unknown extension-value extension-misplaced schema-type schema-number schema-impossible schema-id schema-dialect
schema-budget pattern-unsupported discriminator discriminator-ignored unknown-keyword
"""


def test_the_list_of_codes_is_in_the_table() -> None:
    assert set(CODES_OF_CONTRACTS.split()) <= CODES.keys()


def shown(d: Diagnostic, files: Mapping[str, bytes]) -> str:
    lines = [f"{d.span}: {d.severity}[{d.code}]: {d.message}"]
    if d.span is not None and d.span.line:
        line = (excerpt(files, d.span) or "").rstrip()
        shift = max(0, d.span.column - 81)
        lines += [f"    {line[shift : shift + 120]}", f"    {' ' * (d.span.column - 1 - shift)}^"]
    lines += [f"  {span}: {word}" for span, word in d.related]
    lines += [f"  help: {d.help}"] if d.help else []
    return "\n".join(lines).replace("contracts/pets/v1/", "") + "\n"


def model(contract: Contract) -> dict[str, Any]:
    """The parts of a contract that are not what every contract has."""
    return {
        "operations": [plain(o) for o in contract.operations],
        "schemas": {
            uri.replace("sidegate:///contracts/pets/v1/", ""): dict(sorted(plain(schemas).items()))
            for uri, schemas in sorted(contract.schemas.resources.items())
        },
        **({"files": list(contract.files)} if len(contract.files) > 1 else {}),
    }


def plain(value: Any) -> Any:
    """Values as YAML has them, with what is at its default left out."""
    match value:
        case PathTemplate():
            return value.text
        case SchemaRef():
            return f"{value.place.file}#{value.place.pointer}".replace("contracts/pets/v1/", "")
        case Place():
            return f"{value.file}#{value.pointer}".replace("contracts/pets/v1/", "")
        case Shape():
            return shape(value)
        case Name():
            return {"name": value.name}
        case StrEnum():
            return str(value)
        case str():
            return value.replace("sidegate:///contracts/pets/v1/", "")
        case tuple() | list():
            return [plain(v) for v in value]
        case frozenset():
            return sorted(value)
        case Mapping():
            return {k: plain(v) for k, v in value.items()}
    if dataclasses.is_dataclass(value):
        return {f.name: plain(v) for f in dataclasses.fields(value) if not _is_default(f, v := getattr(value, f.name))}
    return value


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    return value == field.default or value in ((), {}, None, False) or (field.name == "limit" and value == 1048576)


def shape(s: Shape) -> str:
    text = "any" if len(s.types) == 7 else "|".join(sorted(s.types)) or "nothing"
    text += f" of {shape(s.items)}" if s.items else ""
    text += " {" + ", ".join(f"{k}: {shape(v)}" for k, v in s.properties.items()) + "}" if s.properties else ""
    return text + (f" else {shape(s.additional)}" if s.additional else "")
