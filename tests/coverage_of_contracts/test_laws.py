"""Law: what was seen is merged in any order, any number of times, and nothing is ever lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sidegate.coverage.data import SOME, Asked, Data, UnreadableData, load, merge, write

KEYS = st.sampled_from([f"shop/v1 listItems parameter: query {name} given" for name in "abcdef"])
TESTS = st.frozensets(st.integers(0, 40).map(lambda n: f"test_{n:02}"), max_size=30)
ASKED = st.frozensets(
    st.builds(Asked, st.sampled_from(["a/authz/allow", "b/authz/allow"]), st.sampled_from(["{}", "[]"]))
)
DATA = st.builds(Data, st.dictionaries(KEYS, TESTS), ASKED)


@given(DATA, DATA)
def test_merging_is_commutative(one: Data, other: Data) -> None:
    assert one.merged(other) == other.merged(one)


@given(DATA, DATA, DATA)
def test_merging_is_associative(one: Data, other: Data, third: Data) -> None:
    assert one.merged(other).merged(third) == one.merged(other.merged(third))


@given(DATA)
def test_merging_is_idempotent(one: Data) -> None:
    once = one.merged(Data())
    assert once.merged(once) == once
    assert once.merged(one) == once


@given(DATA, DATA)
def test_what_was_seen_stays_seen(one: Data, other: Data) -> None:
    both = one.merged(other)
    assert both.hits.keys() == one.hits.keys() | other.hits.keys()
    assert both.asked == one.asked | other.asked
    for key, tests in both.hits.items():
        named = one.hits.get(key, frozenset()) | other.hits.get(key, frozenset())
        assert tests == frozenset(sorted(named)[:SOME])


@given(DATA)
def test_files_hold_all_of_it(one: Data) -> None:
    once = one.merged(Data())
    assert Data.read(json.loads(json.dumps(once.document()))) == once


def test_workers_files_are_merged(tmp_path: Path) -> None:
    parts = [Data.of([f"key {n % 3}"], f"test_{n}") for n in range(5)]
    for number, part in enumerate(parts):
        write(part, tmp_path / f"gw{number}.json")
    assert load([tmp_path]) == merge(parts)
    assert (tmp_path / "gw0.json").stat().st_mode & 0o077 == 0, "questions to policies are the owner's alone"


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 2}', "no json", '{"format": 1, "hits": [], "asked": []}'])
def test_other_files_are_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "gw0.json").write_text(text)
    with pytest.raises(UnreadableData, match=r"gw0\.json"):
        load([tmp_path])
