"""A proxy's admin interface -> it is drained: answers ask clients to leave their connections, new ones are still served."""

from __future__ import annotations

import time
from pathlib import Path

from xds.address import UnixSocket, Where
from xds.failure import CannotRun
from xds.roles import attend

LOOK_S = 0.1


def drain(admin: Where, wait: float, run: Path) -> int:
    """Begin the drain, and wait so many seconds at the most until no request is under way. Raises CannotRun.

    A mark in the folder `run` tells Envoy's attendant, which does not begin it again when it is to end.
    """
    place = admin.path if isinstance(admin, UnixSocket) else str(admin)
    for path in attend.DRAIN:
        if not attend.post(place, path):
            raise CannotRun(f"no proxy answers at {admin}. Next: --run or --admin, as `sidegate envoy` has it")
    mark = run / attend.MARK
    try:
        if not mark.exists():
            mark.touch()
    except OSError as error:
        raise CannotRun(f"{mark} cannot be written: {(error.strerror or '').lower()}") from error
    end = time.monotonic() + wait
    while time.monotonic() < end and attend.active(place):
        time.sleep(LOOK_S)
    return 0
