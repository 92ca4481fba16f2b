"""What happens in the control plane, as values for whoever watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xds.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """A compilation found something new, or what held services up is over.

    `refused` are the services with errors, `serving` those of them that go on as before.
    """

    diagnostics: tuple[Diagnostic, ...]
    refused: frozenset[str]
    serving: frozenset[str]


@dataclass(frozen=True, slots=True)
class Live:
    """A change is in force: every connected proxy took it. `seconds` counts from when the change was noticed."""

    seconds: float
    operations: int
    services: tuple[str, ...]
    first: bool = False


@dataclass(frozen=True, slots=True)
class PolicyLive:
    """A service's policies were swapped in the companions, to the revision given."""

    seconds: float
    service: str
    revision: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A proxy refused resources (NACK). The diagnostic names the contract line they came from, where one is known."""

    node: str
    type_url: str
    version: str
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Refused:
    """A request was refused, or would have been (`mode: report`): the companion's record, as JSON."""

    record: Mapping[str, Any]


Event = Diagnosed | Live | PolicyLive | Rejected | Refused
