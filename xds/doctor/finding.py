"""SetUp, Finding: what is looked at, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xds.address import Address, UnixSocket, Where


@dataclass(frozen=True, slots=True)
class SetUp:
    """What `sidegate doctor` looks at. `management` is where a control plane answers, if one runs, and `shared` says that
    many share it; `xds` and the certificate files are how a client reaches such a one, as a node of `service`. `upstream` is
    where the app is, whatever the settings say; `proxy` is where the Envoy of this pod has its admin interface."""

    root: Path | None
    env: str | None = None
    listen: Address | None = None
    management: Where | None = None
    xds: tuple[Where, ...] = ()
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    xds_name: str | None = None
    service: str = ""
    upstream: str | None = None
    shared: bool = False
    proxy: UnixSocket | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a stable `code`, what is so, and what to do. A `mild` one does not keep the gateway from
    serving."""

    code: str
    what: str
    fix: str
    mild: bool = False
