"""pytest's hooks and options -> the fixtures and markers of contract tests, none of which does anything unless it is used."""

from __future__ import annotations
