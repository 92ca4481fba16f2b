"""Holdings <-> a folder of packs, exchanged as a whole by one rename, as Kubernetes exchanges its mounts."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from pathlib import Path

from xds.source.packs import INDEX

from .holdings import Holdings
from .objects import Source, Version

log = logging.getLogger("sidegate")

_CURRENT = "..data"


def write(folder: Path, holdings: Holdings) -> None:
    """Put the packs and their index in place of those before. Whoever reads sees all of the old or all of the new.

    Raises OSError if the disk refuses; then the old is still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _current(folder)
    number = int(before.name.strip(".")) + 1 if before else 1
    made = folder / f"..{number}"
    shutil.rmtree(made, ignore_errors=True)  # of a process that ended while it wrote
    made.mkdir()
    for source in holdings.sources.values():
        for name, data in source.packs.items():
            _put(made / name, data, before / name if before else None)
    _put(made / INDEX, _index(holdings).encode(), None)
    link = folder / f"{_CURRENT}_new"
    link.unlink(missing_ok=True)
    link.symlink_to(made.name)
    link.replace(folder / _CURRENT)
    for old in folder.glob("..[0-9]*"):
        if old.name not in (made.name, before.name if before else ""):  # who reads the one before may finish
            shutil.rmtree(old, ignore_errors=True)


def read(folder: Path) -> Holdings:
    """What was written last, also by another process; nothing of a folder that is not there or cannot be understood."""
    current = _current(folder)
    if current is None:
        return Holdings()
    try:
        index = json.loads((current / INDEX).read_bytes())
        holdings = Holdings(seen={scope: Version.of(seen) for scope, seen in index["seen"].items()})
        for said in index["sources"]:
            packs = {name: (current / name).read_bytes() for name in said["packs"]}
            version = Version.of(said["version"])
            source = Source(said["namespace"], said["name"], said["created"], version, packs, said["problem"])
            holdings.sources[source.key] = source
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("what was kept of Kubernetes cannot be read and is fetched anew: %s", error)
        return Holdings()
    return holdings


def _index(holdings: Holdings) -> str:
    sources = [holdings.sources[key] for key in sorted(holdings.sources)]
    index = {
        "seen": {scope: str(version) for scope, version in sorted(holdings.seen.items()) if version.number},
        "packs": {n: {"namespace": s.namespace, "created": s.created} for s in sources for n in sorted(s.packs)},
        "sources": [
            {
                "namespace": source.namespace,
                "name": source.name,
                "created": source.created,
                "version": str(source.version),
                "packs": sorted(source.packs),
                "problem": source.problem,
            }
            for source in sources
        ],
    }
    return json.dumps(index, indent=1)


def _put(path: Path, data: bytes, before: Path | None) -> None:
    """Write a file, or link the one before if it says the same: then its time stays too."""
    if before is not None:
        with contextlib.suppress(OSError):
            if before.read_bytes() == data:
                os.link(before, path)
                return
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _current(folder: Path) -> Path | None:
    with contextlib.suppress(OSError, ValueError):
        target = os.readlink(folder / _CURRENT)
        if target.startswith("..") and target.strip(".").isdigit():
            return folder / target
    return None
