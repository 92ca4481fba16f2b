"""What is checked for an operation, where, and what becomes of a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from xds.place import Place


class Mode(StrEnum):
    """What becomes of a request that contract or policy refuses: refused, passed and recorded, or never looked at."""

    ENFORCE = "enforce"
    REPORT = "report"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class PolicyBinding:
    """Which rule decides an operation.

    `entrypoint` is a rule path `catalog/authz/allow` chosen by the contract, or None for the service's default (found in
    its bundle when the bundle is loaded, so that a policy edit never changes a digest). `exempt` is the reason given with
    `policy: none`; then nothing decides.
    """

    entrypoint: str | None = None
    exempt: str | None = None
    place: Place = Place("")


class Placement(StrEnum):
    """Where a check runs: Envoy's own filters, a generated program in the proxy, or the companion."""

    NATIVE = "native"
    IN_PROXY = "in-proxy"
    COMPANION = "companion"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is checked for an operation, where, and why there. `kind` is a word for `explain`."""

    kind: str
    placement: Placement
    reason: str
