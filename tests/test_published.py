"""CODES.md says what the tables in the code say."""

from __future__ import annotations

from tests.published import FILE, text


def test_codes_are_published():
    assert FILE.read_text() == text(), "run `python -m tests.published`"
