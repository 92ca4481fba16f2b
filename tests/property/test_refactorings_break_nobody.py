"""Law: a contract and its refactorings break no client of each other; and a change that does break is found in any of them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.diff.documents import document
from tests.diff.refactorings import REFACTORINGS, Document, Files, modern, written
from xds.contract.diff import Side, differences, open_side

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
Refactoring = Callable[[Document, random.Random], Files]
_KINDS = [one for one in REFACTORINGS if one is not modern]


def opened(files: Files) -> Side:
    root = next(name for name in files if "/openapi." in name)
    side = open_side(files, root, "shop", "v1")
    assert side is not None
    assert [d for d in side.contract.diagnostics if d.is_error] == []
    return side


def ids(old: Side, new: Side) -> list[str]:
    found = [f"{change.id}: {change.message}" for change in differences(old, new, NOW)]
    return found + [finding.message for side in (old, new) for finding in side.report.findings]


@pytest.mark.parametrize("refactoring", REFACTORINGS, ids=lambda one: one.__name__)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_one(refactoring: Refactoring, seed: int) -> None:
    chance = random.Random(seed)
    made = document(chance)
    before, after = opened(written(made)), opened(refactoring(made, chance))
    assert ids(before, after) == []
    assert ids(after, before) == []


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(_KINDS), min_size=2, max_size=4))
def test_several(seed: int, chosen: list[Refactoring]) -> None:
    chance = random.Random(seed)
    made = document(chance)
    before, files = opened(written(made)), written(made)
    for refactoring in chosen:
        now = yaml.safe_load(next(iter(files.values())))
        if len(files) == 1 and "servers" in now:
            files = refactoring(json.loads(json.dumps(now)), chance)  # no two parts are one object, as aliases are
    after = opened(files)
    assert ids(before, after) == []
    assert ids(after, before) == []


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from(_KINDS))
def test_what_breaks_is_found_all_the_same(seed: int, refactoring: Refactoring) -> None:
    """The law would hold too if nothing were ever found."""
    chance = random.Random(seed)
    made = document(chance)
    broken = copy.deepcopy(made)
    broken["components"]["schemas"]["Cat"]["properties"]["cat"]["minimum"] = 7
    for operation in (broken["paths"]["/things"]["post"], made["paths"]["/things"]["post"]):
        operation["requestBody"] = {
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Choice"}}}
        }
    found = ids(opened(written(made)), opened(refactoring(broken, chance)))
    assert any(each.startswith("request-property-min-increased: body (application/json), cat") for each in found), found
