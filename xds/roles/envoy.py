"""Options -> Envoy's bootstrap and command line; this process becomes the one that attends to it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from xds.address import Address, UnixSocket, Where, where
from xds.failure import CannotRun, Misused
from xds.roles.bootstrap import EDGE, Credentials, Stand, secrets, standing
from xds.roles.options import in_run
from xds.up.parts import envoy_binary

ATTEND = Path(__file__).with_name("attend.py")
FLUSH_MS = 1000
MOST_WORKERS = 4
_LEFT = 0.9
"""Of the container's memory, what Envoy's heap may take: its stacks and tables need the rest."""


def become(options: argparse.Namespace) -> None:
    """Write the bootstrap and become Envoy's attendant. Never returns; raises CannotRun."""
    os.umask(0o077)  # whoever of a pod's parts comes first makes the folder of sockets
    words = command(options, envoy_binary())
    sys.stderr.flush()
    os.chdir(options.run)  # where the control plane's relative paths lead
    os.execv(words[0], words)


def command(options: argparse.Namespace, binary: Path) -> list[str]:
    """The command line, its files written into the folder `--run`. Raises CannotRun."""
    stand = stand_of(options)
    run: Path = options.run
    try:
        (run / "cache").mkdir(parents=True, exist_ok=True)  # for kept answers: Envoy makes no folder
        config = json.dumps(standing(stand, run, heap(), told(options)), indent=1)
        files = {"envoy.json": config} | (secrets(stand.credentials) if stand.credentials else {})
        for name, text in files.items():
            (run / name).write_text(text)
        if isinstance(stand.admin, UnixSocket):
            Path(stand.admin.path).unlink(missing_ok=True)  # left behind by a killed one; Envoy does not take it over
    except OSError as error:
        raise CannotRun(f"{run}: {(error.strerror or '').lower()}. Next: --run a folder that can be written") from error
    admin = stand.admin.path if isinstance(stand.admin, UnixSocket) else str(stand.admin)
    return [
        *(sys.executable, "-I", "-S", str(ATTEND), admin, str(options.drain), str(options.grace)),
        *(str(binary), "-c", str(run.absolute() / "envoy.json"), "-l", "warning", "--disable-hot-restart"),
        *("--component-log-level", "misc:error"),  # what it says of fields that are to be replaced some day
        *("--drain-strategy", "immediate", "--drain-time-s", str(max(1, round(options.drain)))),
        *("--concurrency", str(options.concurrency or workers()), "--file-flush-interval-msec", str(FLUSH_MS)),
    ]


def stand_of(options: argparse.Namespace) -> Stand:
    """Where the proxy stands, by flags. Raises Misused where they do not go together."""
    places = asked(options)
    service = "" if options.service == EDGE else options.service or ""
    admin: Where = options.admin or in_run(options, "admin.sock")
    return Stand(options.node, service, places, admin, options.ready, credentials(options, places))


def asked(options: argparse.Namespace) -> tuple[Where, ...]:
    """The replicas of the control plane. Raises Misused."""
    try:
        return tuple(where(word.strip()) for word in str(options.xds or in_run(options, "xds.sock")).split(","))
    except ValueError as error:
        raise Misused(f"--xds: {error}") from error


def credentials(options: argparse.Namespace, places: tuple[Where, ...]) -> Credentials | None:
    """The files for mTLS, None if there are none. Raises Misused where some are missing."""
    files = (options.xds_ca, options.xds_cert, options.xds_key)
    if not any(files):
        return None
    if not all(files):
        raise Misused("--xds-ca, --xds-cert and --xds-key go together")
    host = next((place.host for place in places if isinstance(place, Address)), "")
    return Credentials(*files, options.xds_name or host)


def told(options: argparse.Namespace) -> dict[str, str]:
    """What the control plane cannot know of this proxy, as node metadata: only what is not as in every pod."""
    rows = {"listen": options.listen, "companion": options.companion, "upstream": options.upstream}
    return {name: str(value) for name, value in rows.items() if value}


def workers() -> int:
    """Worker threads: the processors that this process may use, four at the most."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, usable))


def heap() -> int:
    """Bytes that Envoy's heap may take: most of the container's memory, at most 1 GiB (cgroup v2, `memory.max`)."""
    try:
        most = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):  # no cgroup, or no limit
        return 1 << 30
    return min(1 << 30, int(most * _LEFT))
