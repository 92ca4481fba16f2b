"""A project's files, data -> Report: the coverage of all its contracts and policies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from xds.contract.shown import ShownOperation, shown
from xds.failure import CannotRun
from xds.model import Gateway, Place, Version
from xds.policy.unit_tests import OpaError, suites

from .data import Data
from .points import points
from .rego import ran
from .report import Lines, Report, report

NO_OPA = "lines of policies are not counted: there is no OPA (SIDEGATE_OPA, or `opa` on PATH)"

Files = Mapping[str, bytes]
Known = Mapping[Place, ShownOperation]


def versions_of(gateway: Gateway) -> list[Version]:
    """All versions of all services."""
    return [version for service in gateway.services for version in service.versions]


def shown_by(versions: Sequence[Version], files: Files) -> dict[Place, ShownOperation]:
    """What the contracts show, by the places of their operations."""
    found: dict[Place, ShownOperation] = {}
    for version in versions:
        found |= shown(files, version.place.file)
    return found


def reported(versions: Sequence[Version], known: Known, data: Data, files: Files) -> Report:
    """The coverage of versions, and of the policies beside them if there is an OPA."""
    all_points = [point for version in versions for point in points(version, known)]
    titles = {
        (f"{v.service}/{v.name}", operation.id): f"{operation.method} {operation.path.text}"
        for v in versions
        for operation in v.operations
    }
    lines, note = _lines(files, data)
    return report(all_points, titles, data, files, lines, note)


def _lines(files: Files, data: Data) -> tuple[tuple[Lines, ...], str]:
    if not suites(files):
        return (), ""
    opa = found_opa()
    if opa is None:
        return (), NO_OPA
    try:
        return ran(files, opa, data.asked), ""
    except OpaError as e:
        return (), f"lines of policies are not counted: {e}"


def found_opa() -> Path | None:
    """SIDEGATE_OPA, or `opa` on PATH. Raises CannotRun if the former leads to nothing."""
    named = os.environ.get("SIDEGATE_OPA")
    if named and not Path(named).is_file():
        raise CannotRun(f"SIDEGATE_OPA is {named}, which is no file")
    found = named or shutil.which("opa")
    return Path(found) if found else None
