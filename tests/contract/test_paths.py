"""Path templates: what they match, which is tried first, and where two meet."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.contract.node import Node
from xds.contract.paths import matches, overlap, parse, precedes
from xds.contract.report import Report
from xds.model import PathTemplate


def template(text: str) -> PathTemplate:
    found = parse(text, Node(text, "a.yaml"), Report())
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    ("a", "b", "witness"),
    [
        ("/a/{x}/b", "/a/c/{y}", "/a/c/b"),
        ("/{x}", "/a", "/a"),
        ("/{x}", "/", None),
        ("/a", "/a/", None),
        ("/{x}", "/{x}/{y}", None),
        ("/{x}.json", "/a{y}", "/a.json"),
        ("/{x}.json", "/{y}.xml", None),
        ("/{x}-{y}", "/{z}", "/x-x"),
        ("/{x}", "/caf%C3%A9", "/caf%C3%A9"),
        ("/a%20b", "/a b", "/a%20b"),
        ("/a/b", "/a/c", None),
        ("/a/b", "/a/b/c", None),
    ],
)
def test_overlap(a: str, b: str, witness: str | None) -> None:
    assert overlap(template(a), template(b)) == witness
    assert (overlap(template(b), template(a)) is None) == (witness is None)


def test_order_of_trying() -> None:
    """The leftmost segment that differs decides: literal, then longer literal text around a variable, then variable."""
    order = ["/a/c/{y}", "/a/{x}.json/b", "/a/{x}s/b", "/a/{x}/b", "/a/{x}/{y}", "/{z}/c/b"]
    paths = [template(t) for t in order]
    assert all(precedes(a, b) and not precedes(b, a) for a, b in pairwise(paths))


PARTS = st.sampled_from(["a", "b", "ab", "{x}", "{x}.a", "a{x}", "a{x}b", "{x}-{y}", "-{x}", "b-a"])


def path(parts: list[str]) -> str:
    names = iter("klmnopqrstuvw")
    return "".join(
        "/" + part.replace("{x}", f"{{{next(names)}}}").replace("{y}", f"{{{next(names)}}}") for part in parts
    )


@given(st.lists(PARTS, min_size=1, max_size=3), st.lists(PARTS, min_size=1, max_size=3))
def test_a_witness_is_matched_by_both(a: list[str], b: list[str]) -> None:
    one, other = template(path(a)), template(path(b))
    witness = overlap(one, other)
    assert (witness is None) == (overlap(other, one) is None)
    if witness is None:
        return
    segments = [unquote(s) for s in witness.split("/")[1:]]
    for t in (one, other):
        assert all(matches(s, text) for s, text in zip(t.segments, segments, strict=True))


@given(
    st.lists(PARTS, min_size=1, max_size=2), st.lists(st.sampled_from(["a", "b", "ab", "b-a", "-a", "aab"]), max_size=2)
)
def test_no_witness_means_that_nothing_matches_both(a: list[str], texts: list[str]) -> None:
    """A literal path is a template too: it overlaps a template exactly if that matches it."""
    one, literal = template(path(a)), template("/" + "/".join(texts or ["a"]))
    fits = len(one.segments) == len(literal.segments) and all(
        matches(s, t.literal or "") for s, t in zip(one.segments, literal.segments, strict=True)
    )
    assert (overlap(one, literal) is not None) == fits
