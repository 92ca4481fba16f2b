"""contract + policy -> tests of a service.

    from pytest_sidegate import contract

    @contract("catalog", "v1")
    def test_examples(case, client):
        case.call(client)

Nothing here is imported before it is used, since pytest imports the plugin into every session of everybody who has it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sidegate.client import Answer as Answer
    from pytest_sidegate.client import Client as Client
    from pytest_sidegate.client import ContractBroken as ContractBroken
    from pytest_sidegate.client import Exchange as Exchange
    from pytest_sidegate.contract_case import ContractCase as ContractCase
    from pytest_sidegate.marking import contract as contract
    from pytest_sidegate.marking import generated as generated
    from pytest_sidegate.project import Staged as Staged
    from pytest_sidegate.upstream import Upstream as Upstream
    from pytest_sidegate.verdicts import Verdict as Verdict
    from pytest_sidegate.verdicts import Verdicts as Verdicts

_PLACES = {
    "Answer": "client",
    "Client": "client",
    "ContractBroken": "client",
    "ContractCase": "contract_case",
    "Exchange": "client",
    "Staged": "project",
    "Upstream": "upstream",
    "Verdict": "verdicts",
    "Verdicts": "verdicts",
    "contract": "marking",
    "generated": "marking",
}
"""Public names, and the modules that they are in."""

__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"pytest_sidegate has no {name}")
    return getattr(import_module(f"pytest_sidegate.{_PLACES[name]}"), name)
