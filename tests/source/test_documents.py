"""Texts become values, or a diagnostic with a place; every value can say where it stands."""

from __future__ import annotations

import time

import pytest

from xds.model import Place
from xds.source import Blocks, excerpt, load, span

YAML = b"""\
openapi: 3.0.4
paths:
  /pets:
    get:
      tags: [a, b]
      parameters:
        - name: limit
        - {name: "two words", in: query}
"""
JSON = b'{\n  "a~b": [1,\n    {"c/d": "\\u00e9"}],\n  "e": null}\n'


@pytest.mark.parametrize(
    ("file", "data", "pointer", "line", "column"),
    [
        ("a.yaml", YAML, "", 1, 1),
        ("a.yaml", YAML, "/paths/~1pets/get", 4, 5),
        ("a.yaml", YAML, "/paths/~1pets/get/tags/1", 5, 17),
        ("a.yaml", YAML, "/paths/~1pets/get/parameters/0", 7, 11),
        ("a.yaml", YAML, "/paths/~1pets/get/parameters/1/in", 8, 31),
        ("a.yaml", YAML, "/paths/~1pets/get/nothing/there", 4, 5),
        ("a.json", JSON, "/a~0b/1/c~1d", 3, 6),
        ("a.json", JSON, "/a~0b/0", 2, 11),
        ("a.json", JSON, "/e", 4, 3),
    ],
)
def test_span(file: str, data: bytes, pointer: str, line: int, column: int) -> None:
    found = span({file: data}, Place(file, pointer))
    assert (found.line, found.column, found.pointer) == (line, column, pointer)


def test_excerpt_is_the_line() -> None:
    files = {"a.yaml": YAML}
    assert excerpt(files, span(files, Place("a.yaml", "/paths/~1pets"))) == "  /pets:"
    assert excerpt(files, span(files, Place("b.yaml", "/x"))) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("~", None),
        ("", None),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("+12", 12),
        ("'1'", "1"),
        ("{1: a, true: b, null: c}", {"1": "a", "true": "b", "null": "c"}),
        ("[&x {a: 1}, {<<: *x, b: 2}, {<<: [*x], a: 3}]", [{"a": 1}, {"b": 2, "a": 1}, {"a": 3}]),
        ("{'<<': 1}", {"<<": 1}),
    ],
)
def test_yaml_core_schema(text: str, value: object) -> None:
    document, problems = load("a.yaml", text.encode())
    assert problems == ()
    assert document is not None
    assert document.value == value
    assert type(document.value) is type(value)


@pytest.mark.parametrize(
    ("file", "data", "code", "place"),
    [
        ("a.yaml", b"a: [", "yaml-syntax", "a.yaml:2:1"),
        ("a.yaml", b"a: 1\n--- b", "yaml-syntax", "a.yaml:2:1"),
        ("a.yaml", b"? [a]\n: b", "yaml-syntax", "a.yaml:1:3"),
        ("a.yaml", b"a: *b", "yaml-syntax", "a.yaml:1:4"),
        ("a.yaml", b"a: &a [*a]", "yaml-syntax", "a.yaml:1:8"),
        ("a.yaml", b"<<: 1", "yaml-syntax", "a.yaml:1:5"),
        ("a.yaml", b"a: \xff", "yaml-syntax", "a.yaml:1:1"),
        ("a.yaml", b"a: \x00", "yaml-syntax", "a.yaml:1:1"),
        ("a.yaml", b'a: "\\ud800"', "yaml-syntax", "a.yaml:1:7"),
        ("a.yaml", b"a: !!str 1", "yaml-tag", "a.yaml:1:4"),
        ("a.yaml", b"a: !x {b: 1}", "yaml-tag", "a.yaml:1:4"),
        ("a.yaml", b"a: 1\nb: {c: 1, 'c': 2}", "duplicate-key", "a.yaml:2:11"),
        ("a.yaml", b"a: .inf", "number-range", "a.yaml:1:4"),
        ("a.yaml", b"a: .NaN", "number-range", "a.yaml:1:4"),
        ("a.yaml", b"a: 1e999", "number-range", "a.yaml:1:4"),
        ("a.yaml", b"a: " + b"9" * 5000, "number-range", "a.yaml:1:4"),
        ("a.yaml", b"[" * 100_000, "document-budget", "a.yaml:1:129"),
        ("a.yaml", b"- " * 100_000, "document-budget", "a.yaml:1:257"),
        ("a.yaml", b"? " * 100_000, "yaml-syntax", "a.yaml:1:3"),
        ("a.json", b"", "json-syntax", "a.json:1:1"),
        ("a.json", b'{"a": 1,}', "json-syntax", "a.json:1:9"),
        ("a.json", b'{"a": NaN}', "json-syntax", "a.json:1:7"),
        ("a.json", b'\n"\xff"', "json-syntax", "a.json:2:2"),
        ("a.json", b'"\\ud800"', "json-syntax", "a.json:1:1"),
        ("a.json", b'{"a": 1, "b": {"\\u0061": 1,\n"a": 2}}', "duplicate-key", "a.json:2:1"),
        ("a.json", b'{"a": -1e999}', "number-range", "a.json:1:7"),
        ("a.json", b'{"a": 1e999null}', "number-range", "a.json:1:7"),
        ("a.json", b"[" * 100_000 + b"]" * 100_000, "document-budget", "a.json:1:1"),
        ("a.json", b"[" * 200 + b"]" * 200, "document-budget", "a.json:1:1"),
        ("a.json", b" " * 17_000_000, "document-budget", "a.json"),
    ],
)
def test_what_is_not_read(file: str, data: bytes, code: str, place: str) -> None:
    start = time.process_time()
    document, problems = load(file, data)
    assert document is None
    assert [(d.code, str(d.span)) for d in problems] == [(code, place)]
    assert time.process_time() - start < 1


@pytest.mark.parametrize("file", ["a.yaml", "a.json"])
def test_a_duplicate_key_names_both_lines(file: str) -> None:
    _, (problem,) = load(file, b'{"a": 1,\n "b": 2,\n "a": 3}')
    assert [str(s) for s, _ in problem.related] == [f"{file}:1:2"]
    assert str(problem.span) == f"{file}:3:2"


def test_depth_counts_through_aliases() -> None:
    links = "\n".join(f"- &a{i} [*a{i - 1}]" for i in range(1, 200))
    _, (problem,) = load("a.yaml", f"- &a0 [x]\n{links}\n".encode())
    assert problem.code == "document-budget"


def contract(*paths: str, tail: str = "components: {}\n") -> bytes:
    head = "openapi: 3.0.4\n# a comment\npaths:\n"
    padding = "info: {description: '" + "x" * 70_000 + "'}\n"
    return (head + "".join(paths) + tail + padding).encode()


PLAIN = ("  /a:\n    get: {x: 1}\n", "\n  # between\n  /b:\n    get:\n      x: |\n        text\n\n", "  '/c': {}\n")


def test_a_text_in_blocks_is_the_text() -> None:
    """Blocks are what makes a change cheap; nobody may see them."""
    data = contract(*PLAIN)
    known = Blocks()
    document, problems = load("a.yaml", data, known)
    assert (problems, len(known.values)) == ((), 3)
    assert document is not None
    whole = load("a.json.yaml", data.replace(b"\npaths:\n", b"\npaths: \n"))[0]
    assert whole is not None
    assert document.value == whole.value
    assert list(document.value) == list(whole.value)
    for pointer in ("", "/paths", "/paths/~1a/get/x", "/paths/~1b/get/x", "/paths/~1c", "/components", "/info"):
        at, expected = document.span(pointer), whole.span(pointer)
        assert (at.line, at.column) == (expected.line, expected.column), pointer


def test_unchanged_blocks_keep_their_values() -> None:
    known = Blocks()
    before, _ = load("a.yaml", contract(*PLAIN), known)
    after, _ = load("a.yaml", contract("  /a:\n    get: {x: 2}\n", *PLAIN[1:]), known)
    assert before is not None
    assert after is not None
    assert after.value["paths"]["/a"] == {"get": {"x": 2}}
    assert after.value["paths"]["/b"] is before.value["paths"]["/b"]


@pytest.mark.parametrize(
    "paths",
    [
        ("  /a: &x {get: {}}\n", "  /b: *x\n"),  # an anchor in another block
        ("  /a: &x {y: 1}\n", "  /b: {<<: *x}\n"),
        ('  /a: "quoted\n', '  /b: over the border"\n'),
        ("  /a: [1,\n", "  /b: {}]\n"),
        ("  /a: {}\n", "  /a: {}\n"),
        ("  /a: !t {}\n", "  /b: {}\n"),
        ("  /a: {}\n", "--- {}\n"),
        ("  /a: {}\n", "  /b\n"),
    ],
)
def test_blocks_that_lean_on_each_other_are_read_whole(paths: tuple[str, ...]) -> None:
    data = contract(*paths)
    found = load("a.yaml", data, Blocks())
    whole = load("a.yaml", data.replace(b"\npaths:\n", b"\npaths: \n"))
    assert [d.code for d in found[1]] == [d.code for d in whole[1]]
    assert [d.span and d.span.line for d in found[1]] == [d.span and d.span.line for d in whole[1]]
    assert (found[0] and found[0].value) == (whole[0] and whole[0].value)
