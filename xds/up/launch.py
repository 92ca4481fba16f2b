"""PID COMMAND... -> the command, killed by the kernel when process PID, its parent, is gone. Linux only.

Run as a script of its own. A launcher rather than `preexec_fn`: code between fork and exec is not safe in a process
with threads, and the control plane's gRPC server has some.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); survives execve


def main() -> None:
    """Ask for the signal, look whether the parent is still there, become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
