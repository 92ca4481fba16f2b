"""Kept <-> a file a service on disk: its last good form, and the one before whose contracts were others."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import zipfile
from pathlib import Path

from xds.project.sources import Kept

log = logging.getLogger("sidegate")

LAST_GOOD = "last-good"


class LastGood:
    """One zip a service in a folder, readable by its owner alone. Without a folder nothing is kept."""

    def __init__(self, state: Path | None) -> None:
        self.folder = state / LAST_GOOD if state else None

    def names(self) -> list[str]:
        """The services of which there is something."""
        return sorted(p.stem for p in self.folder.glob("*.zip")) if self.folder and self.folder.is_dir() else []

    def read(self, name: str) -> Kept | None:
        """What is kept of a service, or None."""
        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            return Kept.read(path.read_bytes())
        except (OSError, zipfile.BadZipFile) as error:
            log.warning("the last good form of %s cannot be read: %s", name, error)
            return None

    def write(self, name: str, kept: Kept, known: tuple[str, ...] | None) -> None:
        """Put a form in the place of the last, which is kept as well if its contracts are others. There is always one.

        `known` are the digests of the last, if the caller knows them. Raises OSError.
        """
        if (path := self._path(name)) is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}")
        if known is None:
            known = stored.digests if (stored := self.read(name)) else kept.digests
        if known != kept.digests and path.exists():
            shutil.copyfile(path, scratch)
            scratch.replace(_former(path))
        _write(scratch, kept.zip)
        scratch.replace(path)

    def take_back(self, name: str) -> bool:
        """Put the form before the last in its place; whether there is one."""
        path = self._path(name)
        if path is None or not _former(path).exists():
            return False
        _former(path).replace(path)
        return True

    def forget(self, name: str) -> None:
        """Let go of both forms. A disk that refuses is asked again the next time."""
        if path := self._path(name):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                _former(path).unlink(missing_ok=True)

    def _path(self, name: str) -> Path | None:
        return self.folder / f"{name}.zip" if self.folder else None


def _former(path: Path) -> Path:
    return path.with_suffix(".former")


def _write(path: Path, data: bytes) -> None:
    """Write what nobody else may read: settings name private keys."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
