"""A TCP relay between Envoy and the companion that can break in every way a companion can."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from enum import StrEnum


class Fault(StrEnum):
    """What becomes of the next connections' requests."""

    NONE = "none"
    CLOSE = "close"
    RESET = "reset"
    SILENCE = "silence"
    SLOW_HEAD = "slow-head"
    HALF = "half"
    GARBAGE = "garbage"
    SERVER_ERROR = "server-error"
    BAD_GATEWAY = "bad-gateway"
    REDIRECT = "redirect"
    CONTINUE_ONLY = "continue-only"
    TWO_STATUS_LINES = "two-status-lines"
    CLOSE_AFTER_HEAD = "close-after-head"


ANSWERS: dict[Fault, bytes] = {
    Fault.HALF: b"HTTP/1.1 200 OK\r\ncontent-le",
    Fault.GARBAGE: b"\x00\xff\x00 yes of course\r\n\r\n",
    Fault.SERVER_ERROR: b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n",
    Fault.BAD_GATEWAY: b"HTTP/1.1 502 X\r\ncontent-length: 2\r\n\r\nok",
    Fault.REDIRECT: b"HTTP/1.1 302 X\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n",
    Fault.CONTINUE_ONLY: b"HTTP/1.1 100 Continue\r\n\r\n",
    Fault.TWO_STATUS_LINES: b"HTTP/1.1 500 X\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    Fault.CLOSE_AFTER_HEAD: b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
}
CLOSING = (Fault.HALF, Fault.GARBAGE, Fault.TWO_STATUS_LINES, Fault.CLOSE_AFTER_HEAD)


class Relay:
    """Listens on a free port of loopback and passes bytes on to `target`, unless `fault` says otherwise."""

    def __init__(self, target: int = 0) -> None:
        self.target, self.fault = target, Fault.NONE
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._server.getsockname()[1])
        self._open: set[socket.socket] = set()

    def set(self, fault: Fault) -> None:
        """Break from now on; connections that are open are dropped, so that the fault meets the next request."""
        self.fault = fault
        for connection in list(self._open):
            _drop(connection)

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self.set(Fault.CLOSE)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            if self.fault is Fault.NONE:
                self._pass_on(client)
            else:
                self._break(client, self.fault)
        except OSError:
            pass
        finally:
            self._open.discard(client)
            client.close()

    def _pass_on(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.target), 5) as server:
            server.settimeout(None)
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            _pump(client, server)

    def _break(self, client: socket.socket, fault: Fault) -> None:
        client.settimeout(10)
        while client.recv(1 << 16):
            match fault:
                case Fault.CLOSE:
                    return
                case Fault.RESET:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                case Fault.SILENCE:
                    continue
                case Fault.SLOW_HEAD:
                    for byte in b"HTTP/1.1 200 OK\r\n":
                        client.sendall(bytes([byte]))
                        time.sleep(0.2)
                case _:
                    client.sendall(ANSWERS[fault])
                    if fault in CLOSING:
                        return


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    _drop(sink)


def _drop(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
