"""What holds for all tests: the order of modules, and that laws draw the same examples in each run."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# A law that finds something new is good news on a developer's machine, and a red build of somebody else's change in CI.
# SIDEGATE_SEARCH=1 looks further. How fast examples are made is no property of what is tested.
settings.register_profile(
    "sidegate",
    derandomize=not os.environ.get("SIDEGATE_SEARCH"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("sidegate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first, so that no worker is left with one when the others are done. Nothing changes
    within a module. pytest-xdist alone would begin with those that have the most tests, which are quick ones (hence
    `--no-loadscope-reorder`)."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
