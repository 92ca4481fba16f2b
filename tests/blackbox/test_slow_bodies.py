"""F08, to its end: a body that comes too slowly is refused at the request's time, a second here, and nobody was asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.envoy.models import gateway, operation, version
from tests.envoy.proxy import Proxy, proxy
from tests.waiting import PATIENCE_S
from xds.envoy import Limits
from xds.model import Gateway


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    def made(port: int) -> Gateway:
        return gateway(
            version("ref/v1", [operation("POST /judged", body="application/json")], f"http://127.0.0.1:{port}")
        )

    with proxy(made, tmp_path_factory.mktemp("slow"), limits=Limits(request_s=1)) as running:
        yield running


def _whole(port: int, data: bytes) -> bytes:
    """Everything that comes for a request that never ends, until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(data)
        out = b""
        while some := client.recv(65536):
            out += some
        return out


@pytest.mark.parametrize("framing", [b"content-length: 100", b"transfer-encoding: chunked"])
def test_f08_a_body_that_does_not_end(slow: Proxy, framing: bytes) -> None:
    begun = b'6\r\n{"a":1' if b"chunked" in framing else b'{"a":1'
    head = b"\r\n".join([b"POST /judged HTTP/1.1", b"host: gateway.test", b"content-type: application/json", framing])
    answer = _whole(slow.port, head + b"\r\n\r\n" + begun)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), answer
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "request-timeout"
    assert slow.companion.seen == []
    assert slow.upstream.seen == []
