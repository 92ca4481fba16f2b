"""ADMIN DRAIN GRACE COMMAND... -> Envoy, attended: on SIGTERM it is drained before it ends.

Run as a script of its own, with the standard library alone and little of that: it stands beside every Envoy. Envoy itself
ends on SIGTERM at once, with whatever it has under way. ADMIN is a socket's path or `host:port`, DRAIN and GRACE are seconds.

SIGTERM and SIGINT begin the drain (answers ask clients to leave the connection, new ones are still taken), unless `sidegate
drain` did: then its time counts from there, which the file MARK in the current folder says. DRAIN seconds after its beginning
the listeners close, and requests that are under way have GRACE seconds more. A second SIGTERM does not wait.
"""

import ctypes
import os
import signal
import socket
import sys
import time

_PR_SET_PDEATHSIG = 1  # prctl(2)
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP}
MARK = "draining"
"""Made when `sidegate drain` begins."""
_LOOK_S = 0.1
_QUIET = 3
"""So many looks in a row must find nothing under way: an answer is counted as done before its last byte has left."""
DRAIN = ("/healthcheck/fail", "/drain_listeners?graceful&skip_exit")
"""Not ready any more; and every answer asks to leave the connection, while new ones are still taken."""
_ACTIVE = "/stats?filter=^http%5C..*downstream_rq_active$"
_OWN = ("http.admin.", "http.ready.")
"""Questions to Envoy itself."""


def main() -> int:
    """Start Envoy, wait for signals, drain, end it. Returns its exit code."""
    admin, drain, grace, command = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    forget()
    envoy = _start(command)
    while True:
        got = signal.sigwait(_SIGNALS)
        if got == signal.SIGCHLD:
            if (code := _ended(envoy)) is not None:
                return code
        elif got in (signal.SIGTERM, signal.SIGINT):
            since = drained_for()
            _say("draining" if since is None else f"draining for {since:.1f} s by now")
            for path in DRAIN if since is None else ():
                post(admin, path)
            return _end(envoy, admin, time.monotonic() + drain - (since or 0.0), grace)


def forget() -> None:
    """Take away the mark of an Envoy before this one."""
    if os.path.exists(MARK):
        os.unlink(MARK)


def drained_for() -> "float | None":
    """Seconds since `sidegate drain` began the drain, None if it did not."""
    try:
        return max(0.0, time.time() - os.stat(MARK).st_mtime)
    except OSError:
        return None


def _start(command: list[str]) -> int:
    """The process id of Envoy, which the kernel ends when this process is gone."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.execv(command[0], command)
    except OSError as error:
        _say(f"{command[0]} cannot be started: {error.strerror}")
    os._exit(127)


def _end(envoy: int, admin: str, until: float, grace: float) -> int:
    """Wait until the drain is over and nothing is under way, then end Envoy."""
    if _waited(envoy, until - time.monotonic()) is not None:
        return 0
    post(admin, "/drain_listeners")  # no new connections from here on
    quiet, last = 0, time.monotonic() + grace
    while quiet < _QUIET and time.monotonic() < last:
        quiet = 0 if active(admin) else quiet + 1
        if _waited(envoy, _LOOK_S) is not None:
            return 0
    _say("ending Envoy" if quiet >= _QUIET else f"ending Envoy with requests under way, after {grace:g} s")
    os.kill(envoy, signal.SIGTERM)
    if _waited(envoy, 5.0) is None:
        os.kill(envoy, signal.SIGKILL)
        _waited(envoy, 5.0)
    return 0


def _waited(envoy: int, seconds: float) -> "int | None":
    """Wait so long, or until Envoy has ended; None while it runs. Another SIGTERM ends it now."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        info = signal.sigtimedwait(_SIGNALS, left)
        if info is not None and info.si_signo in (signal.SIGTERM, signal.SIGINT):
            os.kill(envoy, signal.SIGKILL)
        if (code := _ended(envoy)) is not None:
            return code
    return _ended(envoy)


def _ended(envoy: int) -> "int | None":
    """Envoy's exit code, as a shell would say it; None while it runs. Also takes what else this process inherited."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid == 0:
            return None
        if pid == envoy:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def active(admin: str) -> int:
    """Requests under way, by Envoy's own count; at least one if it does not say."""
    body = _ask(admin, "GET", _ACTIVE).partition("\r\n\r\n")[2]
    rows = [line.rpartition(": ") for line in body.splitlines() if line.startswith("http.")]
    counts = [int(count) for name, _, count in rows if count.isdigit() and not name.startswith(_OWN)]
    return sum(counts) if rows else 1


def post(admin: str, path: str) -> bool:
    """Whether Envoy took a command."""
    taken = " 200 " in _ask(admin, "POST", path).partition("\r\n")[0]
    if not taken:
        _say(f"Envoy's admin interface did not take {path}")
    return taken


def _ask(admin: str, method: str, path: str) -> str:
    """The whole answer of the admin interface, empty if there is none."""
    host, _, port = admin.rpartition(":")
    local = admin.startswith("/")
    try:
        with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as asked:
            asked.settimeout(2)
            asked.connect(admin if local else (host, int(port)))
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            asked.sendall(head.encode())
            parts = []
            while data := asked.recv(65536):
                parts.append(data)
    except OSError:
        return ""
    return b"".join(parts).decode("latin-1")


def _say(text: str) -> None:
    os.write(2, f"sidegate envoy: {text}\n".encode())


if __name__ == "__main__":
    sys.exit(main())
