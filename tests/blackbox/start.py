"""The reference project, copied with keys of its own -> a World in which the gateway runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.blackbox.parts import Parts
from tests.blackbox.relay import Relay
from tests.blackbox.world import World
from tests.e2e.collector import Collector
from tests.e2e.gateway import Gateway
from tests.e2e.journal import Journal
from tests.e2e.tokens import Issuer

PROJECT = Path(__file__).parent / "project"


def copy(folder: Path, upstream: str, issuer: Issuer) -> Path:
    """Write the reference project to `folder`, for this upstream and with this issuer's public keys."""
    shutil.copytree(PROJECT, folder)
    (folder / "keys").mkdir()
    (folder / "keys" / "jwks.json").write_text(issuer.jwks())
    settings = {
        "services": {name: {"upstream": upstream} for name in ("ref", "zed")},
        "security": {"bearer": {"issuer": issuer.name, "audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}}},
        "publish": {"breaking": "allow"},
    }
    (folder / "sidegate.yaml").write_text(yaml.safe_dump(settings))
    return folder


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A gateway of its own on a copy of the reference project below `folder`; ends with everything it started."""
    issuer = Issuer()
    with Journal() as journal, Collector() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with Gateway(copy(folder / "project", journal.url, issuer), env=env) as gateway:
            yield _warm(World(gateway, journal, collector, issuer))


@contextmanager
def parts(folder: Path, *roles: str, relay: Relay | None = None) -> Iterator[World]:
    """The same with control plane, companion and Envoy as processes of their own; a relay is put before the companion."""
    issuer = Issuer()
    with Journal() as journal, Collector() as collector:
        running = Parts(copy(folder / "project", journal.url, issuer), collector.url, relay.port if relay else 0)
        if relay:
            relay.target = running.companion
        with running:
            running.start(*roles)
            started = World(running, journal, collector, issuer)
            if not roles:
                running.wait_ready()
                _warm(started)
            yield started


def _warm(started: World) -> World:
    for _ in range(5):
        started.good()
    return started
