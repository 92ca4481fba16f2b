"""The JSON Schema Test Suite, draft 4, as the schemas of an OpenAPI 3.0 contract: compiled, lowered, judged.

OpenAPI 3.0 is draft 5 less some keywords plus others. `draft4.yaml` lists by name what the compiler refuses, by diagnostic,
and what is judged otherwise, with the reason; neither list may grow. A keyword that 3.0 lacks is never ignored in silence.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.message import Request
from sidecar.validate import Validators
from xds.contract import Contract, compile_contract
from xds.diagnostics import has_errors

HERE = Path(__file__).parent
SUITE = HERE.parents[1] / ".." / "shared" / "conformance" / "json-schema" / "tests" / "draft4"
FILE = "contracts/test/v1.json"

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the JSON Schema Test Suite is not beside the repository")


def contract_of(schema: Any) -> Contract:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    operation = {"operationId": "op", "requestBody": body, "responses": {"200": {"description": "ok"}}}
    document = {"openapi": "3.0.4", "info": {"title": "test", "version": "1"}, "paths": {"/x": {"post": operation}}}
    return compile_contract({FILE: json.dumps(document).encode()}, FILE, service="test", version="v1")


def outcome(file: str) -> tuple[dict[str, str], set[str]]:
    """What is refused (group -> diagnostic) and what is judged otherwise (cases) of one file."""
    refused: dict[str, str] = {}
    different: set[str] = set()
    for group in json.loads((SUITE / file).read_text()):
        name = f"{file}: {group['description']}"
        contract = contract_of(group["schema"])
        if has_errors(contract.diagnostics):
            refused[name] = next(d.code for d in contract.diagnostics if d.is_error)
            continue
        validators = Validators(contract.schemas, contract.operations)
        wrong = [case for case in group["tests"] if passes(validators, case["data"]) != case["valid"]]
        different |= {f"{name}: {case['description']}" for case in wrong}
    return refused, different


def passes(validators: Validators, value: Any) -> bool:
    sent = Request("POST", "/x", None, (("content-type", "application/json"),), json.dumps(value).encode())
    return not validators.judge("op", sent).violations


def files() -> list[str]:
    return sorted(str(path.relative_to(SUITE)) for path in SUITE.rglob("*.json")) if SUITE.is_dir() else []


@cache
def listed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HERE / "draft4.yaml").read_text())
    return found


@pytest.mark.parametrize("file", files())
def test_suite(file: str) -> None:
    refused, different = outcome(file)
    expected = {name for names in listed()["refused"].values() for name in names if name.startswith(f"{file}:")}
    assert set(refused) == expected
    assert different == {
        name for entry in listed()["different"] for name in entry["cases"] if name.startswith(f"{file}:")
    }


@pytest.mark.parametrize("keyword", ["patternProperties", "dependencies"])
def test_a_keyword_that_openapi_3_0_lacks_is_a_finding(keyword: str) -> None:
    assert contract_of({"type": "object", keyword: {"a": {}}}).diagnostics
