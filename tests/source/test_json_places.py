"""A few places of a JSON text are found one by one; they are those of the table of all places."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xds.source import jsontext
from xds.source.pointer import join, parents

keys = st.sampled_from(["a", "b/c", "~", "0", "1", "é", 'q"', "\\", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def _pointers(value: Any, pointer: str = "") -> list[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pointer, *(p for key, inner in items for p in _pointers(inner, join(pointer, key)))]


@given(values, st.sampled_from([None, 0, 1]), st.booleans(), st.lists(keys, max_size=3))
def test_found_is_listed(value: Any, indent: int | None, ascii_only: bool, astray: list[str]) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    listed: dict[str, tuple[int, int]] = {}
    for pointer, _, line, column in jsontext.positions(data):
        listed.setdefault(pointer, (line, column))
    for pointer in [*_pointers(value), join("", *astray), join("", "a", *astray), "/01", "/99999999999"]:
        assert jsontext.find(data, pointer) == next(listed[p] for p in parents(pointer) if p in listed)


def test_as_far_as_the_text_can_be_read() -> None:
    data = b'{"a": 1,\n "b": [1, {"c" "d": 2}],\n "e": 3}'
    assert jsontext.find(data, "/a") == (1, 2)
    assert jsontext.find(data, "/b/1/d") == (2, 11)
    assert jsontext.find(b"", "/a") == (1, 1)
