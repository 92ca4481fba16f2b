"""Contracts that somebody wrote to bring a comparison down, or to have a change overlooked."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.diff.cases import document
from tests.diff.test_corpus import NOW, side
from tests.waiting import PATIENCE_S
from xds.contract.diff import Side, differences

OK = {"200": {"description": "ok"}}


def _ids(old: Any, new: Any, **components: Any) -> set[str]:
    sides: list[Side] = []
    for schema in (old, new):
        content = {"application/json": {"schema": schema}}
        body = {"requestBody": {"required": True, "content": content}, "responses": OK}
        sides.append(side(document(body, components={"schemas": components})))
    first, second = sides
    return {change.id for change in differences(first, second, NOW)}


def _answers(old: Any, new: Any) -> set[str]:
    """The same of a response, whose schemas nobody looks at before."""
    made = ({"200": {"description": "ok", "content": {"application/json": {"schema": s}}}} for s in (old, new))
    first, second = (side(document({"responses": responses})) for responses in made)
    return {change.id for change in differences(first, second, NOW)}


def test_a_pattern_that_takes_for_ever() -> None:
    """In a process of its own: the engine that would take for ever cannot be interrupted."""
    code = (
        "from tests.diff.test_hostile import _ids\n"
        "one = lambda schema: {'patternProperties': {'(a+)+$': schema}, 'properties': {'a' * 60 + '!': {}}}\n"
        "assert _ids(one({}), one({'type': 'string'})) == {'request-property-type-changed'}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)


@pytest.mark.parametrize("huge", [10**400, -(10**400)])
def test_numbers_that_no_double_holds(huge: int) -> None:
    integer = {"type": "integer"}
    assert _answers({"enum": [1]}, {"enum": [1, huge]}) == {"response-mediatype-enum-value-added"}
    wide, narrow = ({**integer, "exclusiveMaximum": value} for value in (huge + 10, huge))
    assert _answers(narrow, wide) == {"response-body-max-increased"}
    assert _answers({**integer, "multipleOf": abs(huge)}, {**integer, "multipleOf": 7}) == {
        "response-body-multiple-of-changed"
    }


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [(0.3, 0.1, True), (1e-300, 1e300, False), (0.01, 1e9, False), (1e300, 1e-300, True), (4, 2, True), (2, 4, False)],
)
def test_what_divides(old: float, new: float, kept: bool) -> None:
    found = _ids({"type": "number", "multipleOf": old}, {"type": "number", "multipleOf": new})
    assert found == (set() if kept else {"request-body-multiple-of-changed"})


def test_a_long_chain_of_references() -> None:
    links = {f"N{i}": {"oneOf": [{"$ref": f"#/components/schemas/N{i + 1}"}, {"const": i}]} for i in range(300)}
    schemas = {**links, "N300": {"type": "string"}}
    assert _ids({"$ref": "#/components/schemas/N0"}, {"$ref": "#/components/schemas/N0"}, **schemas) == set()
