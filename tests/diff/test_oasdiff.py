"""The corpus against oasdiff itself: every row of its table is there, and ids that both have mean the same change."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.diff import oasdiff
from tests.diff.cases import Case, cases, unfound

pytestmark = pytest.mark.slow

DIFFERENT = {
    # What oasdiff says of the pair, where it has our id and does not say it.
    "response-header: type-changed": "headers are text to it, so that an integer is a string",
    "response-header: type-generalized": "headers are text to it, so that an integer is a string",
    "request-parameter: type-changed": "it does not look at parameters with `content`",
    "request-parameter-property: type-changed": "it does not look at parameters with `content`; a format is a type to it",
    "request-parameter: list-of-types-narrowed": "it does not look at parameters with `content`",
    "request-parameter-property: list-of-types-narrowed": "it does not look at parameters with `content`",
    "response-header: required-property-removed": "it does not look into headers",
    "response-header-property: required-property-removed": "it does not look into headers",
    "response-header: optional-property-removed": "it does not look into headers",
    "response-header-property: optional-property-removed": "it does not look into headers",
    "request-body: required-property-became-not-read-only": "in 3.1 it has a note of its own for it",
    "request-property: required-property-became-not-read-only": "in 3.1 it has a note of its own for it",
    "request-body: wrapped-in-one-of": "at the root that is a change of the list of types",
    "response-body: wrapped-in-one-of": "at the root that is a change of the list of types",
    "a sunset became no date": "it calls it the path's",
    "a sunset became earlier": "only if it is too near",
    "a parameter's sunset became earlier": "only if it is too near",
    "an operation is gone before the sunset of its path": "it knows no x-sunset of paths",
    "the sunset of a path became earlier": "it knows no x-sunset of paths",
    "a sunset that is past comes without a warning": "nothing is refused for a date to it",
    "a document's sunset that is past comes after a deprecation without a date": "it knows no x-sunset of documents",
    "a parameter that must be sent, on the path": "where it is written has an id of its own",
    "a media type became a range": "it knows no ranges",
    "a media type became a more special one": "it has an id of its own for it, as nothing that breaks",
    "request-body: type-changed": "a property with a name of its own is none of the map's to it",
    "request-property: type-changed": "a property with a name of its own is none of the map's to it",
    "response-body: type-changed": "a property with a name of its own is none of the map's to it",
    "response-property: type-changed": "a property with a name of its own is none of the map's to it",
    "request-body: schema-became-false": "a property with a name of its own is none of the map's to it",
    "request-property: schema-became-false": "a property with a name of its own is none of the map's to it",
    "request-parameter: schema-became-false": "it does not look at parameters with `content`",
    "request-parameter-property: schema-became-false": "it does not look at parameters with `content`",
    "request-body: any-of-removed": "an alternative below `allOf` is a change of `allOf` to it",
    "response-body: any-of-added": "an alternative below `allOf` is a change of `allOf` to it",
    "response-property: any-of-added": "an alternative below `allOf` is a change of `allOf` to it",
    "an operation is gone before the moment of its sunset": "dates are days to it",
    "an operation is gone before the moment of its sunset, elsewhere": "dates are days to it",
    "a sunset became earlier by an hour": "dates are days to it",
    "alternatives are told apart by a property now": "it names the discriminator, and not what a client must send by it",
    "a name of an alternative is gone": "it names the discriminator, and not what a client must send by it",
    "alternatives are told apart by another property": "it names the discriminator, and not what a client must send by it",
    "a status of its own in the place of a range or of default": "it compares no status with the range or default before it",
    "default in the place of a status of its own": "it compares no status with the range or default before it",
    "a success where default stood for all": "it compares no status with the range or default before it",
}


@pytest.fixture(scope="module")
def binary() -> Path:
    found = oasdiff.find()
    if isinstance(found, str):
        pytest.skip(found)
    return found


def test_every_row_is_found_or_has_a_reason(binary: Path) -> None:
    rows = {id_ for id_, level in oasdiff.rows(binary).items() if level in ("error", "warning")}
    found = {id_ for case in cases() for id_ in case.ids}
    assert len(rows) == 374
    assert sorted(rows - found - unfound().keys()) == []
    assert sorted(unfound().keys() - rows) == []


def test_the_same_id_means_the_same_change(binary: Path, tmp_path: Path) -> None:
    rows, every = oasdiff.rows(binary), list(cases())

    def missing(numbered: tuple[int, Case]) -> str | None:
        number, case = numbered
        files = []
        for side, document in (("old", case.old), ("new", case.new)):
            files.append(str(tmp_path / f"{number}-{side}.json"))
            Path(files[-1]).write_text(json.dumps(document))
        theirs = {each["id"] for each in oasdiff.ask(binary, "changelog", "-f", "json", *files)}
        return case.name if case.ids & rows.keys() - theirs else None

    with ThreadPoolExecutor(2) as pool:
        wrong = set(filter(None, pool.map(missing, enumerate(every))))
    assert sorted(wrong - DIFFERENT.keys()) == []
    assert sorted(DIFFERENT.keys() - wrong) == []
