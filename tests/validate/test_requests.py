"""The request tables of `tests/requests` through the validators alone.

A table is a contract and rows. A row says what is sent and either `errors` (each `in pointer code`, in order), `code` (the
first one's), or `params` and `value`: what the parameters and the body are decoded to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.codes import CODES
from sidecar.message import NO_BODY
from sidecar.validate import Validators
from tests.validate.contracts import compiled, request, told, validators

TABLES = sorted((Path(__file__).parents[1] / "requests").glob("*.yaml"))
_prepared: dict[Path, tuple[Validators, list[dict[str, Any]]]] = {}


def rows() -> list[Any]:
    return [
        pytest.param(path, index, id=f"{path.stem}-{row.get('case', index)}")
        for path in TABLES
        for index, row in enumerate(yaml.safe_load(path.read_text())["requests"])
    ]


def prepared(path: Path) -> tuple[Validators, list[dict[str, Any]]]:
    if path not in _prepared:
        table = yaml.safe_load(path.read_text())
        _prepared[path] = validators(compiled(table["contract"])), table["requests"]
    return _prepared[path]


@pytest.mark.parametrize(("path", "index"), rows())
def test_row(path: Path, index: int) -> None:
    judge, table = prepared(path)
    row = table[index]
    judgement = judge.judge(row["operation"], request(row))
    errors = told(judgement)
    if "code" in row:
        assert errors
        assert judgement.violations[0].code == row["code"]
    else:
        assert errors == row.get("errors", [])
    for violation in judgement.violations:
        assert violation.status == CODES[violation.code].status
    for where, value in row.get("params", {}).items():
        assert getattr(judgement.params, where) == value
        typed = [json.dumps(each, sort_keys=True) for each in (getattr(judgement.params, where), value)]
        assert typed[0] == typed[1]  # 1 is not 1.0 and not true
    if "value" in row:
        assert (None if judgement.body is NO_BODY else judgement.body) == row["value"]
