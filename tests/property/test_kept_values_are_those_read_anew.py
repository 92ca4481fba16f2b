"""Law: reading a JSON text through what was kept of another gives what reading it for the first time gives."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from xds.source import jsontext, members
from xds.source.limits import Refusal
from xds.source.members import Members

SCALARS = st.sampled_from([None, True, 1, 1.0, -0.0, 12, "a", "a}", 'a"b', "\\u", "é", "\ud83d\ude00"])
INNER = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", ""]), v, max_size=2)
)
KEYS = st.sampled_from(["a", "b", "paths", "", "é"])
DOCUMENTS = st.dictionaries(KEYS, st.dictionaries(KEYS, INNER, max_size=3) | INNER, max_size=4)
DAMAGE = st.sampled_from(["", "}", ",", '"', " ", "1", "]", '"a":1,', "\\ud800", "NaN", "{", "\n", "\x00", "1e999"])


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A document as somebody may lay it out; sometimes with something in it that does not belong there."""
    document = draw(DOCUMENTS)
    text = json.dumps(document, indent=draw(st.sampled_from([None, 1])), ensure_ascii=draw(st.booleans()))
    at = draw(st.integers(0, len(text)))
    damage = draw(st.just("") | DAMAGE)
    return (text[:at] + damage + text[at:]).encode("utf-8", "replace")


def said(read: Any, *of: Any) -> Any:
    try:
        return repr(read(*of))
    except Refusal as r:
        return r.code, str(r), r.line, r.column, r.pointer, r.first


@settings(max_examples=300, deadline=None)
@given(st.lists(texts(), min_size=2, max_size=4))
def test_kept_values_are_those_read_anew(history: list[bytes]) -> None:
    known = Members()
    with patch.object(members, "_WORTH", 0):
        for data in history:
            assert said(members.value, data, known) == said(jsontext.value, data)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, st.data())
def test_what_did_not_change_is_the_same_object(document: dict[str, Any], data: st.DataObject) -> None:
    known = Members()
    with patch.object(members, "_WORTH", 0):
        before = members.value(json.dumps(document).encode(), known)
        changed = data.draw(KEYS)
        after = members.value(json.dumps(document | {changed: {"new": 1}}).encode(), known)
    for key in before.keys() - {changed}:
        assert after[key] is before[key] or not isinstance(before[key], (dict, list)) or not before[key]
