"""`python -m tests.blackbox.watched LOG VERB...`: the sidegate command, with every file it opens and socket it uses in LOG.

An audit hook sees what Python itself opens (PEP 578), imports included; what is read before the hook is set is the
interpreter's own. At the end the log says how much memory the process held at most, in KiB.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

WATCHED = {"open", "socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.system", "os.exec"}


def main() -> int:
    log = Path(sys.argv[1]).open("a")  # noqa: SIM115  (open until the process ends)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in WATCHED:
            log.write(json.dumps([event, *map(repr, arguments[:2])]) + "\n")
            log.flush()

    sys.addaudithook(hook)
    from xds.cli import main as command

    try:
        return command(sys.argv[2:])
    finally:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        log.write(json.dumps(["peak", str(peak)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
