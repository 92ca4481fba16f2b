"""The corpus: pairs of contracts with all ids that must be found, among them every row of a published table.

The table is that of oasdiff 1.35.0 (`oasdiff checks changelog`, errors and warnings): test_oasdiff.py compares with it. What is
not found under its id has a reason in unfound.yaml.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from tests.diff.cases import Case, cases, unfound
from xds.contract.diff import CHANGES, Side, differences, open_side

FILE = "contracts/things/v1.yaml"
CASES = list(cases())
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def side(document: object) -> Side:
    found = open_side({FILE: yaml.safe_dump(document).encode()}, FILE, "things", "v1")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Case, Side, Side]]:
    return [(case, side(case.old), side(case.new)) for case in CASES]


Pairs = list[tuple[Case, Side, Side]]


def test_pairs(pairs: Pairs) -> None:
    """Exactly the ids that are expected; the wrong ones together."""
    wrong = {}
    for case, old, new in pairs:
        found = {change.id for change in differences(old, new, NOW)}
        if found != case.ids:
            wrong[case.name] = f"{sorted(found)}, not {sorted(case.ids)}"
    assert not wrong


def test_contracts_of_the_pairs_compile(pairs: Pairs) -> None:
    for case, *sides in pairs:
        for one in sides:
            assert [d for d in one.contract.diagnostics if d.is_error] == [], case.name


def test_nothing_is_found_between_equal_contracts(pairs: Pairs) -> None:
    for case, old, new in pairs:
        assert differences(old, old, NOW) == differences(new, new, NOW) == (), case.name


def test_every_id_is_found_somewhere() -> None:
    found = {id_ for case in CASES for id_ in case.ids}
    assert found <= CHANGES.keys()
    assert sorted(CHANGES.keys() - found - {"contract-removed"} - _COMPARABLE) == []


_COMPARABLE = {id_ for id_ in CHANGES if id_.endswith("-not-comparable")}
"""Told of what is too large to be compared: tests/diff/test_sizes.py."""


def test_what_is_not_found_has_no_row_of_its_own() -> None:
    assert not unfound().keys() & CHANGES.keys()
