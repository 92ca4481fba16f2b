"""SetUp, Finding: what is looked at, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xds.address import Address, Where


@dataclass(frozen=True, slots=True)
class SetUp:
    """What `sidegate doctor` looks at. `management` is where a control plane answers, if one runs; `xds` and the certificate
    files are those of a shared one, where there is one."""

    root: Path | None
    env: str | None = None
    listen: Address | None = None
    management: Where | None = None
    xds: tuple[Where, ...] = ()
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a stable `code`, what is so, and what to do. A `mild` one does not keep the gateway from
    serving."""

    code: str
    what: str
    fix: str
    mild: bool = False
