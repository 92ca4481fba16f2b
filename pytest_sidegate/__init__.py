"""contract + policy -> tests of a service.

    from pytest_sidegate import contract

    @contract("catalog", "v1")
    def test_examples(case, client):
        case.call(client).must_conform()

Nothing here is imported before it is used, since pytest imports the plugin into every session of everybody who has it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sidegate.credentials import Credentials as Credentials
    from pytest_sidegate.verdicts import Verdict as Verdict
    from pytest_sidegate.verdicts import Verdicts as Verdicts

_PLACES = {
    "Credentials": "credentials",
    "Verdict": "verdicts",
    "Verdicts": "verdicts",
}
"""Public names, and the modules that they are in."""

__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"pytest_sidegate has no {name}")
    return getattr(import_module(f"pytest_sidegate.{_PLACES[name]}"), name)
