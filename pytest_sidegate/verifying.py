"""`--sidegate-verify SERVICE/VERSION=URL` -> an item for each example of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_sidegate.client import Client, ContractBroken
from pytest_sidegate.collecting import collected, watching
from pytest_sidegate.contract_case import ContractCase
from pytest_sidegate.plugin import option
from pytest_sidegate.provider import Verify


class VerifyItem(pytest.Item):
    """One example, sent to a service."""

    def __init__(self, *, case: ContractCase, client: Client, **more: Any) -> None:
        super().__init__(**more)
        self.case, self.client = case, client

    def runtest(self) -> None:
        self.case.call(self.client)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, ContractBroken):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.case.version.place.file, None, f"verify {self.name}"


def items_of(session: pytest.Session) -> Iterator[VerifyItem]:
    """The items that the options ask for; a contract that there is not is a usage error."""
    config = session.config
    staged = collected(config)
    for text in config.getoption("sidegate_verify"):
        named, _, url = text.partition("=")
        service, _, version = named.partition("/")
        if not (service and version and url.startswith(("http://", "https://"))):
            raise pytest.UsageError(f"--sidegate-verify {text}: write SERVICE/VERSION=URL")
        verify = Verify(staged, option(config, "token"), watching(config, staged))
        client = verify.client(url)
        try:
            cases = verify.cases(service, version)
        except LookupError as problem:
            raise pytest.UsageError(f"--sidegate-verify {text}: {problem.args[0]}") from problem
        for case in cases:
            yield VerifyItem.from_parent(session, name=f"{named}::{case.id}", case=case, client=client)
