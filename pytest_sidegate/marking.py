"""@contract, @generated: the markers that give a test the examples of a contract, or requests that are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest

from pytest_sidegate.plugin import GENERATED, MARKER

F = TypeVar("F", bound=Callable[..., Any])


def contract(
    service: str,
    version: str,
    operation: str | None = None,
    *,
    name: str | None = None,
    token: str | Mapping[str, Any] | None = None,
    key: str | None = None,
    against: str | None = None,
) -> Callable[[F], F]:
    """Run a test for each operation and example of a contract, with the argument `case` (`ContractCase`).

    `operation` and `name` (of the examples) choose some. `token` is the claims that are sent, or their name in `dev.tokens` of
    sidegate.yaml; `key` the consumer whose API key is. `against` is the version whose implementation is asked, while requests
    and answers stay those of `version`.
    """
    said = {"name": name, "token": token, "key": key, "against": against}
    mark = getattr(pytest.mark, MARKER)(service, version, operation, **{k: v for k, v in said.items() if v is not None})
    return lambda function: mark(function)


def generated(
    service: str,
    version: str,
    mode: str,
    operation: str | None = None,
    *,
    token: str | Mapping[str, Any] | None = None,
    examples: int = 25,
) -> Callable[[F], F]:
    """Run a test for each operation of a contract, with the argument `drawn`: schemathesis' requests for it, which
    `drawn.check()` sends through the gateway.

    Of mode `positive` none must be refused by the contract, of mode `negative` each must be refused. `examples` is how many
    there are of an operation; `token` as for `contract`.
    """
    if mode not in ("positive", "negative"):
        raise ValueError(f"mode '{mode}' is neither positive nor negative")
    said = {"token": token, "examples": examples}
    mark = getattr(pytest.mark, GENERATED)(service, version, mode, operation, **said)
    return lambda function: mark(function)
