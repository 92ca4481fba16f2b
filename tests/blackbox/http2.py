"""Frames -> answers, over one HTTP/2 connection: any frame may be sent, also those that no library would write."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import hyperframe.frame as frames
from hpack import Decoder

from tests.waiting import PATIENCE_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Header = tuple[bytes | str, bytes | str]


@dataclass
class Stream:
    """What came back on one stream; `reset` is the error code of a RST_STREAM."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(dict(self.headers).get(":status", 0))

    @property
    def done(self) -> bool:
        return self.ended or self.reset is not None


class Connection:
    """A client that decides nothing: it answers SETTINGS and PING if asked to, and keeps what it was told."""

    def __init__(self, port: int, timeout: float = PATIENCE_S, settings: dict[int, int] | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.streams: dict[int, Stream] = {}
        self.goaway: int | None = None
        self.closed = False
        self.peer: dict[int, int] = {}
        self.sent: list[str] = []
        self.acknowledged = False
        self._data = bytearray()
        self._decoder = Decoder()
        self.raw(PREFACE)
        self.send(frames.SettingsFrame(0, settings=settings or {}))

    def raw(self, data: bytes) -> bool:
        """Send bytes as they are; whether the peer took them."""
        self.sent.append(f"{len(data)} bytes {data[:64]!r}")
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True
            return False
        return True

    def send(self, *some: frames.Frame) -> bool:
        return self.raw(b"".join(f.serialize() for f in some))

    def headers(self, stream: int, headers: Iterable[Header], *, end: bool = True, block: bytes | None = None) -> bool:
        """One HEADERS frame with END_HEADERS; fields are written as literals, so that nothing checks or folds them."""
        flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
        return self.send(frames.HeadersFrame(stream, data=literal(headers) if block is None else block, flags=flags))

    def data(self, stream: int, data: bytes, *, end: bool = True) -> bool:
        return self.send(frames.DataFrame(stream, data=data, flags=["END_STREAM"] if end else []))

    def window(self, stream: int, size: int) -> bool:
        return self.send(frames.WindowUpdateFrame(stream, window_increment=size))

    def until(self, enough: Callable[[], bool], timeout: float | None = None) -> bool:
        """Read frames until `enough`, the end of the connection, or the time is up; whether it was enough."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not enough() and not self.closed and (left := deadline - time.monotonic()) > 0:
            self._receive(left)
        return enough()

    def stream(self, number: int) -> Stream:
        return self.streams.setdefault(number, Stream())

    def answer(self, number: int, timeout: float | None = None) -> Stream:
        """The stream as soon as it is done, or as it stands when the connection or the time ends."""
        self.until(lambda: self.stream(number).done or self.goaway is not None, timeout)
        return self.stream(number)

    def _receive(self, timeout: float) -> None:
        self.socket.settimeout(max(timeout, 0.001))
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            return
        except OSError:
            self.closed = True
            return
        self.closed = not data
        self._data += data
        self._take()

    def _take(self) -> None:
        while len(self._data) >= 9:
            frame, length = frames.Frame.parse_frame_header(memoryview(bytes(self._data[:9])))
            if len(self._data) < 9 + length:
                return
            frame.parse_body(memoryview(bytes(self._data[9 : 9 + length])))
            del self._data[: 9 + length]
            self._on(frame)

    def _on(self, frame: frames.Frame) -> None:
        match frame:
            case frames.SettingsFrame() if "ACK" in frame.flags:
                self.acknowledged = True
            case frames.SettingsFrame():
                self.peer.update(frame.settings)
                self.send(frames.SettingsFrame(0, flags=["ACK"]))
            case frames.PingFrame() if "ACK" not in frame.flags:
                self.send(frames.PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))
            case frames.HeadersFrame():
                stream = self.stream(frame.stream_id)
                stream.headers += [(str(n), str(v)) for n, v in self._decoder.decode(frame.data)]
                stream.ended |= "END_STREAM" in frame.flags
            case frames.DataFrame():
                stream = self.stream(frame.stream_id)
                stream.body += frame.data
                stream.ended |= "END_STREAM" in frame.flags
            case frames.RstStreamFrame():
                self.stream(frame.stream_id).reset = frame.error_code
            case frames.GoAwayFrame():
                self.goaway = frame.error_code

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def literal(headers: Iterable[Header]) -> bytes:
    """A header block of literal fields without indexing (RFC 7541, section 6.2.2), names and values byte for byte."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers)


def _text(text: bytes | str) -> bytes:
    data = text.encode("latin-1") if isinstance(text, str) else text
    return _integer(len(data)) + data


def _integer(value: int, prefix: int = 7) -> bytes:
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes([value])
    out, value = bytearray([limit]), value - limit
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes([*out, value])


def request(path: str, token: str | None = None, method: str = "GET", *more: Header) -> list[Header]:
    """An ordinary request's fields."""
    fields: list[Header] = [(":method", method), (":scheme", "http"), (":authority", "gateway.test"), (":path", path)]
    return [*fields, *([("authorization", f"Bearer {token}")] if token else []), *more]
