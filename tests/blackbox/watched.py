"""`python -m tests.blackbox.watched`: runs the sidegate command again and again, each time in a fork of its own, and watches.

Reads `[log, out, [words...]]` as JSON lines and answers each with `[exit code, CPU seconds, peak KiB]`. An audit hook
(PEP 578) writes to `log` every file that is opened, every use of the network and every program that is started. Forks of
a process that has imported the command already: a hundred hostile contracts would otherwise be a hundred starts.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path

WATCHED = {"open", "socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.system", "os.exec"}
IMPORTED = ("xds.cli", "xds.commands.check", "xds.findings", "xds.render", "xds.terminal")
KILLED_AFTER_S = 30


def main() -> None:
    """Serve until standard input ends."""
    for module in IMPORTED:
        import_module(module)
    for line in sys.stdin:
        log, out, words = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(log, out, words)
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps([code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]), flush=True)


def _child(log: str, out: str, words: list[str]) -> None:
    signal.alarm(KILLED_AFTER_S)
    written = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, 1)
    os.dup2(written, 2)
    events = Path(log).open("a")  # noqa: SIM115  (open until the process ends)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in WATCHED:
            events.write(json.dumps([event, *map(repr, arguments[:2])]) + "\n")
            events.flush()

    sys.addaudithook(hook)
    code = 70
    try:
        code = import_module("xds.cli").main(words)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 2
    except BaseException:  # noqa: BLE001  (whatever it is, the test is to see it)
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
