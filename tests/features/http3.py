"""A request over HTTP/3, by aioquic."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamReset

from tests.waiting import PATIENCE_S


@dataclass
class Answer:
    """Status, headers and body of an answer. Status 0 is a stream that was reset instead."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Client(QuicConnectionProtocol):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._http = H3Connection(self._quic)
        self._answers: dict[int, tuple[Answer, asyncio.Future[Answer]]] = {}

    async def ask(self, authority: str, path: str, more: Mapping[str, str]) -> Answer:
        stream = self._quic.get_next_available_stream_id()
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[stream] = Answer(), done
        pseudo = ((":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path))
        self._http.send_headers(
            stream, [(n.encode(), v.encode()) for n, v in (*pseudo, *more.items())], end_stream=True
        )
        self.transmit()
        return await done

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamReset) and event.stream_id in self._answers:
            answer, done = self._answers[event.stream_id]
            if not done.done():
                done.set_result(answer)
        for each in self._http.handle_event(event):
            self._take(each)

    def _take(self, event: H3Event) -> None:
        if not isinstance(event, (HeadersReceived, DataReceived)) or event.stream_id not in self._answers:
            return
        answer, done = self._answers[event.stream_id]
        if isinstance(event, HeadersReceived):
            answer.headers |= {name.decode(): value.decode() for name, value in event.headers}
            answer.status = int(answer.headers.get(":status", 0))
        else:
            answer.body += event.data
        if event.stream_ended and not done.done():
            done.set_result(answer)


def ask(
    port: int,
    name: str,
    ca: str,
    path: str,
    *,
    authority: str | None = None,
    more: Mapping[str, str] | None = None,
    patience: float = PATIENCE_S,
    own: tuple[Path, Path] | None = None,
) -> Answer:
    """GET over a new QUIC connection that asks for `name`. `own` are the files of a certificate and its key.

    Raises ConnectionError or TimeoutError if there is no connection.
    """

    async def run() -> Answer:
        configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=name)
        configuration.load_verify_locations(cadata=ca.encode())
        if own is not None:
            configuration.load_cert_chain(*own)
        async with connect("127.0.0.1", port, configuration=configuration, create_protocol=_Client) as client:
            return await cast(_Client, client).ask(authority or f"{name}:{port}", path, more or {})

    return asyncio.run(asyncio.wait_for(run(), patience))
