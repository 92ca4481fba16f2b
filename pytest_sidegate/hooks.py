"""The hook by which others are told of what contract tests see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_sidegate.client import Exchange


def pytest_sidegate_exchange(config: pytest.Config, exchange: Exchange) -> None:
    """Called with each exchange of the fixture `client`, also of one that breaks its contract, before that is raised."""
