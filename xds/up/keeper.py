"""a pipe -> the end of every process group named on it, once the supervisor is gone.

Run as a script of its own, isolated from the environment. The supervisor writes `+PGID` and `-PGID` lines; when the pipe
ends, for whatever reason, the groups that are left are terminated, and killed half a second later. Works wherever there
are process groups, and reaches the children's children too.
"""

import os
import signal
import sys
import time

GRACE_S = 0.5


def main() -> None:
    """Follow standard input until it ends, then end what is left."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            try:
                os.killpg(group, number)
            except OSError:
                continue  # gone already
        if groups and number == signal.SIGTERM:
            time.sleep(GRACE_S)


if __name__ == "__main__":
    main()
