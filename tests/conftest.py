"""The order of modules: those with slow tests come first, so that no worker is left with one when the others are done."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing changes within a module. pytest-xdist alone would begin with those that have the most tests, which are quick
    ones (hence `--no-loadscope-reorder`)."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
