"""bundle, rule, inputs -> values, in a process of its own that a deadline ends: for what is asked while compiling."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from .bundle import Bundle
from .process import HEAD, WorkerError, exactly, frame, spawn, words

SECONDS = 2.0
"""For one answer; a rule that needs longer for one operation is mistaken."""

UNDEFINED: Any = object()
"""The value of a rule that is not defined for an input."""


class EvaluationError(Exception):
    """A rule has no value: it failed, it contradicts itself, or it took too long."""


@dataclass(slots=True)
class Evaluation:
    """One bundle, asked any number of times; the first question starts the process. A context manager: leaving it ends it."""

    bundle: Bundle
    _process: subprocess.Popen[bytes] | None = None
    _socket: Any = None
    _rules: list[str] = field(default_factory=list)

    def __enter__(self) -> Evaluation:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def value(self, rule: str, document: str) -> Any:
        """A rule's value for an input, given as JSON; UNDEFINED if it has none. Raises EvaluationError."""
        if self._process is None:
            self._start()
        head = (1).to_bytes(4, "little") + self._rules.index(rule).to_bytes(2, "little")
        kind, payload = self._ask(b"D", head + document.encode())
        if kind in (b"T", b"N"):
            return kind == b"T"
        if kind == b"U":
            return UNDEFINED
        if kind == b"V":
            return json.loads(payload)
        raise EvaluationError(words(payload))

    def _start(self) -> None:
        self._rules = list(self.bundle.rules)
        modules = {f"{index}.rego": text for index, text in enumerate(self.bundle.programs.values())}
        order = {"id": 1, "modules": modules, "data": self.bundle.data, "entrypoints": self._rules}
        try:
            self._process, self._socket = spawn()
        except OSError as e:
            raise EvaluationError(f"the policy engine cannot be started: {e}") from None
        kind, payload = self._ask(b"P", json.dumps(order, ensure_ascii=False).encode(), 20.0)
        if kind != b"K":
            self._end()
            raise EvaluationError(words(payload))

    def _ask(self, kind: bytes, payload: bytes, seconds: float = SECONDS) -> tuple[bytes, bytes]:
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(frame(kind, payload))
            head = exactly(self._socket, HEAD)
            return head[4:5], exactly(self._socket, int.from_bytes(head[:4], "little"))
        except TimeoutError:
            self._end()
            raise EvaluationError(f"it took longer than {seconds:g} s") from None
        except (OSError, WorkerError):
            self._end()
            raise EvaluationError("the policy engine crashed on it") from None

    def _end(self) -> None:
        if self._process is not None:
            self._socket.close()
            self._process.kill()
            self._process.wait()
            self._process = None
