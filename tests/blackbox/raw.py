"""An upstream that answers with exact bytes, by path, as soon as it has read a request's head."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Mapping


class Raw:
    """Listens on a free port of loopback. `answers` are by path; of a body nothing is read before the answer is sent.

    `slurps` are the paths whose request bodies are read to the end after the answer, and the next request then; other
    connections are closed.
    """

    def __init__(self, answers: Mapping[str, bytes], slurps: frozenset[str] = frozenset()) -> None:
        self.answers, self.slurps = answers, slurps
        self.heads: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Raw:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    if not (more := connection.recv(65536)):
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                self.heads.append(head)
                path = head.split(b" ")[1].decode().partition("?")[0]
                connection.sendall(self.answers.get(path, b"HTTP/1.1 404 N\r\ncontent-length: 0\r\n\r\n"))
                if path not in self.slurps:
                    break
                while len(data) < _length(head) and (more := connection.recv(65536)):
                    data += more
                data = data[_length(head) :]
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.3)  # a close with bytes unread is a reset, which may overtake the answer


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(found[1]) if found else 0
