"""A worker process and the socket to it; one compilation in such a process."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("worker.py")
HEAD = 5
COMPILE_SECONDS = 20.0


class WorkerError(Exception):
    """A worker did not answer, or answered with an error."""


def spawn() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a worker and return it with this end of its socket.

    The interpreter is executed anew, not forked, and skips `site`: it finds the engine in one folder named to it. On Linux
    the worker dies with the thread that calls this. Raises OSError.
    """
    ours, theirs = socket.socketpair()
    try:
        command = [sys.executable, "-I", "-S", "-u", str(WORKER), engine_folder(), str(theirs.fileno())]
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def engine_folder() -> str:
    """The folder that holds the `regopy` package. Raises OSError if it is not installed."""
    found = importlib.util.find_spec("regopy")
    if found is None or not found.submodule_search_locations:
        raise OSError("regopy is not installed")
    return str(Path(next(iter(found.submodule_search_locations))).parent)


def frame(kind: bytes, payload: bytes) -> bytes:
    """A request as the worker reads it."""
    return len(payload).to_bytes(4, "little") + kind + payload


def words(payload: bytes) -> str:
    """What a worker says of its trouble, as a line of 300 characters at most."""
    return " ".join(payload.decode(errors="replace").split())[:300]


def compile_modules(
    modules: Mapping[str, str],
    data: Any,
    entrypoints: Sequence[str],
    names: Sequence[str],
    programs: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Compile modules in a process of their own: `{plan, missing, refused}`.

    `missing` are the names that are no built-ins; `refused` is why a worker would not load `programs`, the modules as they
    are given to it (None: as they are), or None.
    Raises WorkerError with the engine's text for modules it refuses, also if it crashes or takes over COMPILE_SECONDS.
    """
    order: dict[str, Any] = {
        "modules": dict(modules),
        "data": data,
        "entrypoints": list(entrypoints),
        "names": list(names),
    }
    order["programs"] = dict(modules if programs is None else programs)
    kind, payload = asked(b"C", order, COMPILE_SECONDS)
    if kind != b"V":
        raise WorkerError(payload.decode(errors="replace"))
    answer: dict[str, Any] = json.loads(payload)
    return answer


def _answer(ours: socket.socket) -> tuple[bytes, bytes]:
    head = exactly(ours, HEAD)
    return head[4:5], exactly(ours, int.from_bytes(head[:4], "little"))


def asked(kind: bytes, order: Mapping[str, Any], seconds: float) -> tuple[bytes, bytes]:
    """The answer of a process that is started for this one question. Raises WorkerError if there is none in time."""
    try:
        process, ours = spawn()
    except OSError as e:
        raise WorkerError(f"the policy engine cannot be started: {e}") from None
    with ours:
        try:
            ours.settimeout(seconds)
            ours.sendall(frame(kind, json.dumps(order, ensure_ascii=False).encode()))
            return _answer(ours)
        except TimeoutError:
            raise WorkerError(f"the policy engine did not compile this within {seconds:.0f} s") from None
        except OSError:
            raise WorkerError("the policy engine crashed while it compiled this") from None
        finally:
            process.kill()
            process.wait()


def exactly(ours: socket.socket, size: int) -> bytes:
    """So many bytes from a socket. Raises ConnectionError if it ends before, TimeoutError by the socket's timeout."""
    data = bytearray()
    while len(data) < size:
        chunk = ours.recv(min(size - len(data), 1 << 20))
        if not chunk:
            raise ConnectionError("the worker is gone")
        data += chunk
    return bytes(data)
