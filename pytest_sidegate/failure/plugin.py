"""A failed test of pytest -> sections of its report: request, answer, contract, decision, reproduce."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_sidegate.client import Exchange

    from .sections import Section

Told = Callable[[], "tuple[Section, ...]"]

_LAST: pytest.StashKey[Told | None] = pytest.StashKey()


def note(config: pytest.Config, told: Told) -> None:
    """Keep what a test asked last; `told` is called only if the test fails."""
    config.stash[_LAST] = told


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Whatever is asked from now on is this test's."""
    item.config.stash[_LAST] = None
    return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_sidegate_exchange(config: pytest.Config, exchange: Exchange) -> None:
    """The fixture `client` had an answer."""
    from pytest_sidegate.collecting import collected

    from .exchanges import of_exchange

    note(config, lambda: of_exchange(exchange, collected(config).files))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failure what broke the contract, or what was asked last."""
    report = yield
    if report.failed and call.excinfo is not None:
        for section in _sections(item, call.excinfo.value):
            report.sections.append((f"sidegate: {section.title}", section.text))
    return report


def _sections(item: pytest.Item, error: BaseException) -> tuple[Section, ...]:
    lies = [lie for each in getattr(item, "funcargs", {}).values() if (lie := _lie(each, error)) is not None]
    told = lies[0] if lies else _broken(item, error) or item.config.stash.get(_LAST, None)
    return told() if told is not None else ()


def _broken(item: pytest.Item, error: BaseException) -> Told | None:
    """The first exchange that broke its contract, where the error names some."""
    if "pytest_sidegate.client" not in sys.modules:
        return None
    from pytest_sidegate.client import ContractBroken
    from pytest_sidegate.collecting import collected
    from pytest_sidegate.provider import ProviderBroken

    from .exchanges import of_exchange

    found = (error.exchange,) if isinstance(error, ContractBroken) else ()
    exchanges = error.exchanges if isinstance(error, ProviderBroken) else found
    return (lambda: of_exchange(exchanges[0], collected(item.config).files)) if exchanges else None


def _lie(fixture: object, error: BaseException) -> Told | None:
    """The request that the stubbed service answered as its contract forbids."""
    if "pytest_sidegate.upstream" not in sys.modules:
        return None
    from pytest_sidegate.upstream import Lied, Upstream

    from .exchanges import of_received

    if not isinstance(error, Lied) or not isinstance(fixture, Upstream) or fixture.staged is None or not error.received:
        return None
    received, files = error.received[0], fixture.staged.files
    return lambda: of_received(received, files)
