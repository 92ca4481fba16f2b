"""The JSON Schema Test Suite's 2020-12 as schemas of an OpenAPI 3.1 contract: lowering changes no verdict.

What the front end refuses is listed by diagnostic in `lowered.yaml`, and so is what is judged otherwise. Neither may grow.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import yaml

from sidecar.validate.schema import Library
from xds.contract import compile_contract
from xds.diagnostics import has_errors

HERE = Path(__file__).parent
SUITE = HERE.parents[1] / ".." / "shared" / "conformance" / "json-schema"
LISTED = HERE / "lowered.yaml"
ROOT = "contracts/suite/v1.json"

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the JSON Schema Test Suite is not beside the repository")


def document() -> bytes:
    """A contract whose one body is the schema in the file beside it, since `#` in the suite is the schema itself."""
    operation = {"requestBody": {"content": {"application/json": {"schema": {"$ref": "schema.json"}}}}, "responses": {}}
    text = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "security": [],
        "paths": {"/a": {"post": operation}},
    }
    return json.dumps(text).encode()


@cache
def outcome() -> dict[str, dict[str, list[str]]]:
    """Names of cases: by the code that refuses their schema, and those judged otherwise than the suite has it."""
    refused: dict[str, list[str]] = defaultdict(list)
    otherwise: list[str] = []
    folder = SUITE / "tests" / "draft2020-12"
    for path in sorted([*folder.glob("*.json"), *(folder / "optional").glob("*.json")]):
        for group in json.loads(path.read_text()):
            name = f"{path.relative_to(folder).as_posix()}: {group['description']}"
            schema = group["schema"]
            files = {ROOT: document(), "contracts/suite/schema.json": json.dumps(schema).encode()}
            contract = compile_contract(files, ROOT, service="suite", version="v1")
            if has_errors(contract.diagnostics):
                code = next(d.code for d in contract.diagnostics if d.is_error)
                refused[code].append(name)
                continue
            body = contract.operations[0].body
            assert body is not None
            assert body.media[0].schema is not None
            check = Library(contract.schemas.resources).check(body.media[0].schema.uri)
            otherwise += [
                f"{name}: {case['description']}"
                for case in group["tests"]
                if check.is_valid(case["data"]) != case["valid"]
            ]
    return {"refused": dict(sorted(refused.items())), "otherwise": {"cases": otherwise}}


def test_lowering_keeps_every_verdict() -> None:
    found = outcome()
    if os.environ.get("SIDEGATE_UPDATE_GOLDEN"):
        head = (
            "# 2020-12's cases as schemas of OpenAPI 3.1: refused when compiled (by diagnostic), or judged otherwise.\n"
        )
        LISTED.write_text(head + yaml.safe_dump(found, width=200, allow_unicode=True))
    assert yaml.safe_load(LISTED.read_text()) == found
