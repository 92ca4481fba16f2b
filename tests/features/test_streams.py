"""WebSockets where they are declared, event streams and gRPC: given up when idle, not when they are long."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import grpc
import httpx
import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import CONTRACT, compiled_with
from tests.waiting import PATIENCE_S

GRPC_BODY = {"content": {"application/grpc": {}}}
ROOM = [{"in": "query", "name": "room", "required": True, "schema": {"type": "integer"}}]


class _Sockets(socketserver.BaseRequestHandler):
    """The server's side of RFC 6455's handshake, then every byte comes back."""

    def handle(self) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.request.recv(4096)
        lines = data.decode().split("\r\n")
        sent = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        key = next(line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-key"))
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.server.seen.append((lines[0], sent))  # type: ignore[attr-defined]
        self.request.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        while chunk := self.request.recv(4096):
            self.request.sendall(chunk)


class _Events(BaseHTTPRequestHandler):
    """`n` events with a pause of `pause` seconds before each."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = {key: float(value[0]) for key, value in parse_qs(urlsplit(self.path).query).items()}
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for number in range(int(asked["n"])):
                time.sleep(asked["pause"])
                event = f"data: {number}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Streams:
    hop: Hop
    sockets: socketserver.ThreadingTCPServer
    calls: list[dict[str, str]] = field(default_factory=list)


def _grpc_server(calls: list[dict[str, str]]) -> tuple[grpc.Server, int]:
    def say(request: bytes, context: grpc.ServicerContext) -> bytes:
        calls.append(dict(context.invocation_metadata()))
        context.set_trailing_metadata((("x-trailer", "yes"),))
        return b"said " + request

    def chat(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield b"heard " + request

    rows = {
        "Say": grpc.unary_unary_rpc_method_handler(say),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("talk.Talk", rows),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    socketserver.ThreadingTCPServer.daemon_threads = True
    sockets = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Sockets)
    sockets.seen = []  # type: ignore[attr-defined]
    events = ThreadingHTTPServer(("127.0.0.1", 0), _Events)
    for server in (sockets, events):
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    calls: list[dict[str, str]] = []
    talk, port = _grpc_server(calls)
    stream = {"200": {"description": "ok", "content": {"text/event-stream": {}}}}
    hasty = {"timeout": "1500ms", "policy": "none", "reason": "the test's", "undeclared": "pass"}
    bearer = [{"bearer": []}]
    socket_paths = {
        "/socket": {"get": operation(x_sidegate={**hasty, "upgrade": "websocket"}, parameters=ROOM, security=bearer)},
        "/plain": {"get": operation(x_sidegate=hasty)},
    }
    event_paths = {
        "/events": {"get": {**operation(x_sidegate=hasty), "responses": stream}},
        "/other": {"get": operation(x_sidegate=hasty)},
    }
    call_paths = {
        "/talk.Talk/Say": {"post": operation(x_sidegate=hasty, requestBody=GRPC_BODY, security=bearer)},
        "/talk.Talk/Chat": {"post": operation(x_sidegate=hasty, requestBody=GRPC_BODY)},
    }
    documents = {"sockets": socket_paths, "events": event_paths, "calls": call_paths}
    upstreams = {
        "sockets": f"http://127.0.0.1:{sockets.server_address[1]}",
        "events": f"http://127.0.0.1:{events.server_port}",
        "calls": {"url": f"http://127.0.0.1:{port}", "protocol": "http2"},
    }
    files = {f"contracts/{name}/v1.yaml": yaml.safe_dump(contract(paths)) for name, paths in documents.items()}
    settings = {"services": {name: {"upstream": upstream} for name, upstream in upstreams.items()}}
    folder = tmp_path_factory.mktemp("streams")
    try:
        with serve(folder, contract({"/": {"get": operation()}}), settings=settings, files=files) as hop:
            yield Streams(hop, sockets, calls)
    finally:
        talk.stop(0)
        for server in (sockets, events):
            server.shutdown()
            server.server_close()


def _upgrade(hop: Hop, target: str, token: str = "", protocol: str = "websocket") -> tuple[socket.socket, str]:
    """An open connection and the head of the answer to a handshake."""
    connection = socket.create_connection(("127.0.0.1", hop.gateway.port), timeout=PATIENCE_S)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {target} HTTP/1.1", "host: ws.test", "connection: Upgrade", f"upgrade: {protocol}",
        f"sec-websocket-key: {key}", "sec-websocket-version: 13",
    ]  # fmt: skip
    lines += [f"authorization: Bearer {token}"] if token else []
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head and (chunk := connection.recv(4096)):
        head += chunk
    return connection, head.decode()


def test_a_websocket_lasts_where_it_is_declared(streams: Streams) -> None:
    """Longer than the operation's 1.5 s, as long as something moves; then it is given up."""
    token = streams.hop.issuer.token(aud="ref", sub="ada")
    connection, head = _upgrade(streams.hop, "/socket?room=1", token)
    assert head.startswith("HTTP/1.1 101")
    with connection:
        for _ in range(5):
            time.sleep(0.4)
            connection.sendall(b"ping")
            assert connection.recv(4) == b"ping"
        began = time.monotonic()
        assert connection.recv(4) == b"", "an idle WebSocket is closed"
        assert time.monotonic() - began > 1
    _, sent = streams.sockets.seen[-1]  # type: ignore[attr-defined]
    assert not [name for name in sent if name.startswith("x-sidegate")]


@pytest.mark.parametrize(
    ("target", "token", "protocol", "status", "code"),
    [
        ("/socket?room=1", False, "websocket", 401, "token-missing"),
        ("/socket?room=x", True, "websocket", 400, "invalid"),
        ("/plain", False, "websocket", 403, "upgrade-refused"),
        ("/socket?room=1", True, "irc", 403, "upgrade-refused"),
    ],
)
def test_a_websocket_is_judged_when_it_begins(
    streams: Streams, target: str, token: bool, protocol: str, status: int, code: str
) -> None:
    before = len(streams.sockets.seen)  # type: ignore[attr-defined]
    text = streams.hop.issuer.token(aud="ref", sub="ada") if token else ""
    connection, head = _upgrade(streams.hop, target, text, protocol)
    connection.close()
    assert int(head.split()[1]) == status, head
    assert len(streams.sockets.seen) == before  # type: ignore[attr-defined]


def test_an_event_stream_lasts(streams: Streams) -> None:
    """Two seconds with pauses of 400 ms, where the whole answer of another operation has 1.5 s."""
    with streams.hop.client.stream("GET", "/events?n=5&pause=0.4") as answer:
        pieces = list(answer.iter_bytes())
    assert len(pieces) > 1, "events come one by one, not all at the end"
    assert b"".join(pieces) == b"".join(b"data: %d\n\n" % number for number in range(5))
    with pytest.raises(httpx.RemoteProtocolError):
        streams.hop.client.get("/other?n=5&pause=0.4")


def test_an_idle_event_stream_is_given_up(streams: Streams) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        streams.hop.client.get("/events?n=2&pause=4")


def test_grpc_passes_with_its_trailers(streams: Streams) -> None:
    token = streams.hop.issuer.token(aud="ref", sub="ada")
    with grpc.insecure_channel(f"127.0.0.1:{streams.hop.gateway.port}") as channel:
        say = channel.unary_unary("/talk.Talk/Say")
        reply, call = say.with_call(b"hello", metadata=(("authorization", f"Bearer {token}"),), timeout=PATIENCE_S)
        assert reply == b"said hello"
        assert dict(call.trailing_metadata())["x-trailer"] == "yes"
        assert not [name for name in streams.calls[-1] if name.startswith("x-sidegate")]
        chat = channel.stream_stream("/talk.Talk/Chat")

        def words() -> Iterator[bytes]:
            for word in (b"a", b"b", b"c", b"d"):
                time.sleep(0.25)
                yield word

        assert list(chat(words(), timeout=PATIENCE_S)) == [b"heard a", b"heard b", b"heard c", b"heard d"]


def test_refused_grpc_is_told_in_grpc(streams: Streams) -> None:
    before = len(streams.calls)
    with grpc.insecure_channel(f"127.0.0.1:{streams.hop.gateway.port}") as channel:
        with pytest.raises(grpc.RpcError) as unauthenticated:
            channel.unary_unary("/talk.Talk/Say")(b"hello", timeout=PATIENCE_S)
        with pytest.raises(grpc.RpcError) as unknown:
            channel.unary_unary("/talk.Talk/Other")(b"hello", timeout=PATIENCE_S)
    assert unauthenticated.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert len(streams.calls) == before


def test_bad_settings_have_a_place() -> None:
    (found,) = compiled_with("upgrade: h2c")
    assert found.code == "extension-value"
    document = CONTRACT.replace("operationId: listPets\n", "operationId: gone\n").replace("addPet", "listPets")
    (found,) = compiled_with("upgrade: websocket", document)
    assert "begins with GET" in found.message
    assert found.span
    assert found.span.pointer.endswith("/upgrade")
