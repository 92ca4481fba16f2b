"""What is published says what the tables in the code say."""

from __future__ import annotations

from tests.charts import documents
from tests.published import CHANGES, FILE, SCHEMA, changes, published_schema, text


def test_codes_are_published():
    assert FILE.read_text() == text(), "run `python -m tests.published`"


def test_the_schema_of_the_extension_is_published():
    assert SCHEMA.read_text() == published_schema(), "run `python -m tests.published`"


def test_the_charts_pages_and_dashboards_are_published():
    for path, made in documents.files().items():
        assert path.read_text() == made, f"{path.name}: run `python -m tests.published`"


def test_changes_that_break_clients_are_published():
    assert CHANGES.read_text() == changes(), "run `python -m tests.published`"
