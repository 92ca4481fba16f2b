"""Law: a diagnostic says file, line, column, code, source line, caret and help, and nothing in it steers a terminal."""

from __future__ import annotations

import json

from xds.diagnostics import CODES, Diagnostic, Span
from xds.render import as_github, as_json, as_sarif, as_text
from xds.terminal import Palette, clean

FILES = {"contracts/a/v1.yaml": b"openapi: 3.0.3\ninfo: {title: A}\npaths:\n  /x: {get: 1}\n"}
ERROR = Diagnostic(
    "duplicate-key", "the key 'title' is there twice", Span("contracts/a/v1.yaml", 2, 8, "/info/title"), "remove one"
)
WARNING = Diagnostic(
    "policy-unbound",
    "no policy decides",
    Span("contracts/a/v1.yaml", 4, 3),
    None,
    ((Span("contracts/a/v1.yaml", 1, 1), "here"),),
)
NOWHERE = Diagnostic("no-contracts", "no contract found")
HOSTILE = Diagnostic(
    "duplicate-key", "\x1b[31mred\x1b[0m \u202e\u2066evil\u200b\r\nnext", Span("a\x1b]0;t\x07.yaml", 1, 3)
)


def test_text_is_as_documented() -> None:
    assert as_text([WARNING, ERROR, NOWHERE, ERROR], FILES) == (
        "error[no-contracts]: no contract found\n"
        "\n"
        "contracts/a/v1.yaml:2:8: error[duplicate-key]: the key 'title' is there twice\n"
        "    2 | info: {title: A}\n"
        "      |        ^\n"
        "  help: remove one\n"
        "\n"
        "contracts/a/v1.yaml:4:3: warning[policy-unbound]: no policy decides\n"
        "    4 |   /x: {get: 1}\n"
        "      |   ^\n"
        "  contracts/a/v1.yaml:1:1: note: here\n"
        "    1 | openapi: 3.0.3\n"
        "      | ^\n"
        "\n"
        "2 errors, 1 warning\n"
    )


def test_nothing_found_is_no_text() -> None:
    assert as_text([], FILES) == ""


def test_a_long_line_is_cut_around_the_column() -> None:
    files = {"a.json": b"x" * 5000 + b"HERE" + b"y" * 5000}
    shown = as_text([Diagnostic("json-syntax", "m", Span("a.json", 1, 5001))], files).splitlines()
    assert max(map(len, shown)) < 200
    assert shown[1][shown[2].index("^") :].startswith("HERE")


def test_hostile_text_is_defused_in_every_format() -> None:
    files = {HOSTILE.span.file: "ab\x1b[2J\u202ec\n".encode()} if HOSTILE.span else {}
    for form in (as_text, as_github, as_json, as_sarif):
        shown = form([HOSTILE], files, None)
        assert not set(shown) & set("\x1b\u202e\u2066\u200b\r\x07"), form.__name__


def test_cleaning_keeps_columns() -> None:
    text = "a\x1b[0m\tb\u202ec"
    assert len(clean(text)) == len(text)
    assert clean("plain äöü 日本 text") == "plain äöü 日本 text"


def test_colours_are_off_unless_asked_for() -> None:
    assert "\x1b" not in as_text([ERROR], FILES)
    assert "\x1b[1;31merror[duplicate-key]\x1b[0m" in as_text([ERROR], FILES, Palette(True))


def test_json_has_every_member() -> None:
    first, second = json.loads(as_json([ERROR, NOWHERE], FILES))
    assert first["file"] is None
    assert second == {
        "code": "duplicate-key",
        "severity": "error",
        "message": "the key 'title' is there twice",
        "file": "contracts/a/v1.yaml",
        "line": 2,
        "column": 8,
        "pointer": "/info/title",
        "help": "remove one",
        "related": [],
    }


def test_sarif_is_2_1_0() -> None:
    log = json.loads(as_sarif([ERROR, WARNING, NOWHERE], FILES))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["shortDescription"]["text"] == CODES[result["ruleId"]].meaning
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        for place in (*result.get("locations", []), *result.get("relatedLocations", [])):
            region = place["physicalLocation"]["region"]
            assert region["startLine"] >= 1
            assert region["startColumn"] >= 1
    assert [len(r.get("locations", [])) for r in run["results"]] == [0, 1, 1]


def test_github_escapes_what_its_parser_reads() -> None:
    odd = Diagnostic("duplicate-key", "100%\nof: a, b", Span("a,b:c.yaml", 3, 4))
    assert as_github([odd], {}) == "::error title=duplicate-key,file=a%2Cb%3Ac.yaml,line=3,col=4::100%25%0Aof: a, b\n"
