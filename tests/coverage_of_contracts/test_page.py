"""The page: what it says, that it needs nothing else, and that markup in a contract stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_sidegate.coverage.data import Data
from pytest_sidegate.coverage.page import page
from pytest_sidegate.coverage.project import reported, shown_by, versions_of
from pytest_sidegate.coverage.report import Report
from tests.coverage_of_contracts.shop import project
from tests.golden.golden import compare
from xds.compile import Compiler
from xds.project.offline import read_offline

HERE = Path(__file__).parent / "golden"
VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = "</td></table><script>alert(1)</script><img src=x onerror=alert(2)>\u202e"


class Page(HTMLParser):
    """A page's elements, in order, each with its attributes, its text and the elements that it is in."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], list[str], tuple[str, ...]]] = []
        self.open: list[int] = []
        self.feed(text)
        assert not self.open, "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), [], tuple(self.found[i][0] for i in self.open)))
        if tag not in VOID:
            self.open.append(len(self.found) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.found[self.open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self.open:
            self.found[index][2].append(data)

    def all(self, tag: str) -> Iterator[tuple[dict[str, str | None], str]]:
        return ((attrs, "".join(text).strip()) for name, attrs, text, _ in self.found if name == tag)


def report_of(root: Path, *hits: str) -> Report:
    tree = read_offline(root)
    versions = versions_of(Compiler().compile(tree).gateway)
    seen = Data.of([f"shop/v1 {hit}" for hit in hits], "tests/test_shop.py::test_it")
    return reported(versions, shown_by(versions, tree.files), seen, tree.files)


@pytest.fixture(autouse=True)
def _without_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIDEGATE_OPA", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


@pytest.fixture
def made(tmp_path: Path) -> str:
    hits = ("getThing operation: ", "getThing status: 200", "getThing parameter: path id given")
    return page(report_of(project(tmp_path), *hits))


def test_what_it_says(made: str) -> None:
    compare(HERE, {"page.html": made}, ["page.html"])


def test_it_needs_nothing_else(made: str) -> None:
    """No script, nothing that is loaded, and a policy that would not let the page do either."""
    found = Page(made)
    assert not [tag for tag, *_ in found.found if tag in ("script", "link", "img", "iframe", "object", "form", "base")]
    for _, attrs, _, _ in found.found:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "srcset", "style")]
    assert all((attrs["href"] or "").startswith("#") for attrs, _ in found.all("a"))
    ((style, css),) = found.all("style")
    assert not style
    assert not re.search(r"url\(|@import|@font-face|expression", css)
    (policy,) = [attrs["content"] for attrs, _ in found.all("meta") if "http-equiv" in attrs]
    assert policy is not None
    assert policy.startswith("default-src 'none';")


def test_links_lead_somewhere_and_ids_are_unique(made: str) -> None:
    found = Page(made)
    ids = [attrs["id"] for _, attrs, _, _ in found.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {(attrs["href"] or "").removeprefix("#") for attrs, _ in found.all("a")}
    assert targets <= set(ids)
    named = {attrs["aria-labelledby"] for attrs, _ in found.all("section")}
    assert named <= set(ids)


def test_it_can_be_read_without_seeing_it(made: str) -> None:
    """Language, title, landmarks, headings in order, tables with captions or names and heads, and words for every sign."""
    found = Page(made)
    assert [attrs.get("lang") for attrs, _ in found.all("html")] == ["en"]
    assert len(list(found.all("title"))) == len(list(found.all("main"))) == len(list(found.all("h1"))) == 1
    levels = [int(tag[1]) for tag, *_ in found.found if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tables = len(list(found.all("table")))
    regions = [attrs for attrs, _ in found.all("div") if attrs.get("role") == "region"]
    assert len(list(found.all("caption"))) + len(regions) == tables
    assert all(attrs.get("aria-label") and attrs.get("tabindex") == "0" for attrs in regions)
    assert all(attrs.get("scope") in ("row", "col") for attrs, _ in found.all("th"))
    signs = [attrs for attrs, text in found.all("span") if text in "✓◐✗" and text]
    assert signs
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in signs)
    first = next(attrs for tag, attrs, _, _ in found.found if tag == "a")
    assert first["href"] == "#main"


def test_markup_in_a_contract_stays_text(tmp_path: Path) -> None:
    """Wherever a contract can hold text that the page shows: lines, names of operations, parameters, media types, paths."""
    from tests.coverage_of_contracts.shop import CONTRACT

    name = "<b>&quot;\\u202e"
    contract = CONTRACT.replace("<script>alert(1)</script>", HOSTILE.replace("\u202e", "\\u202e")).replace(
        "{name: full, in: query,", f'{{name: "{name}", in: query,'
    )
    contract = contract.replace(
        "text/plain: {schema: {type: string}}\n        4XX", "'text/x\"<i>': {}\n        4XX", 1
    )
    text = page(report_of(project(tmp_path, contract=contract)))
    found = Page(text)
    assert not [tag for tag, *_ in found.found if tag in ("script", "img", "b", "i")]
    assert "alert(1)" in "".join(t for _, t in found.all("td")), "the contract's own line is there to be read"
    assert "\u202e" not in text


def test_colours_can_be_told_apart() -> None:
    """WCAG 2.2, 1.4.3: text on every background has a contrast of 4.5, in both schemes."""
    css = (Path(page.__code__.co_filename).parent / "page.css").read_text()
    for scheme in re.findall(r":root \{(.*?)\}", css, re.DOTALL):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", scheme))
        for back in ("back", "head", "seen", "some", "missed"):
            for text in ("text", "link", "soft"):
                assert contrast(colours[text], colours[back]) >= 4.5, (text, back, colours)


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
