"""The JSON Schema Test Suite, 2020-12 whole, through the validator's own engine module.

What does not pass is listed by name in `json_schema.yaml`, each with its reason. The list may only shrink: a listed case that
passes fails this test too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import yaml

from sidecar.validate.schema import Library

HERE = Path(__file__).parent
SUITE = HERE.parents[1] / ".." / "shared" / "conformance" / "json-schema"
DRAFT = "draft2020-12"
BASE = "sidegate:///suite/"

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the JSON Schema Test Suite is not beside the repository")


def files() -> list[str]:
    root = SUITE / "tests" / DRAFT
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.json")) if root.is_dir() else []


@cache
def remotes() -> dict[str, Any]:
    root = SUITE / "remotes"
    found = (root / DRAFT).rglob("*.json")
    return {f"http://localhost:1234/{path.relative_to(root)}": json.loads(path.read_text()) for path in found}


def library_of(schema: Any) -> tuple[Library, str]:
    """The schema as a resource under its own `$id`, as `Schemas.resources` has it."""
    uri = urljoin(BASE + "case", schema.get("$id", "") if isinstance(schema, dict) else "").removesuffix("#")
    return Library({**remotes(), uri: schema}), uri


def failures(file: str) -> Iterator[str]:
    for group in json.loads((SUITE / "tests" / DRAFT / file).read_text()):
        library, uri = library_of(group["schema"])
        for case in group["tests"]:
            name = f"{file}: {group['description']}: {case['description']}"
            try:
                check = library.check(uri)
                right = check.is_valid(case["data"]) == case["valid"]
                if right and not case["valid"]:
                    right = bool(list(check.findings(case["data"])))
            except Exception:  # noqa: BLE001 - a case that the engine refuses is a failure like any other
                right = False
            if not right:
                yield name


@pytest.mark.parametrize("file", files())
def test_suite(file: str) -> None:
    listed = yaml.safe_load((HERE / "json_schema.yaml").read_text())
    expected = {name for entry in listed for name in entry["cases"] if name.startswith(f"{file}:")}
    assert set(failures(file)) == expected


def test_list_names_only_what_exists() -> None:
    listed = yaml.safe_load((HERE / "json_schema.yaml").read_text())
    assert {name.partition(":")[0] for entry in listed for name in entry["cases"]} <= set(files())
