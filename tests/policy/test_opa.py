"""An OPA server that fails in every way: a denial with the right code, within the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.opa_server import OpaServer, opa_binary, opa_server
from tests.waiting import PATIENCE_S
from xds.policy.bundle import Bundle, load_bundle
from xds.policy.engine import OpaEngine
from xds.up.ports import free_port

__all__ = ["opa_binary", "opa_server"]

POLICY = "package catalog.authz\ndefault allow := false\nallow if input.ok\n"
DEADLINE = 3.0
HTML = b"<html>502</html>"


def _bundle() -> Bundle:
    bundle, said = load_bundle("catalog", {"policies/catalog/authz.rego": POLICY.encode()})
    assert bundle is not None, said
    return bundle


def _http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


HOSTILE = {
    "500": (_http(b'{"code": "internal_error"}', "500 Internal Server Error"), "policy-unavailable"),
    "empty object": (_http(b"{}"), "policy-undefined"),
    "null": (_http(b"null"), "policy-unavailable"),
    "true": (_http(b"true"), "policy-unavailable"),
    "html": (_http(HTML), "policy-unavailable"),
    "result null": (_http(b'{"result": null}'), "policy-type"),
    "result text": (_http(b'{"result": "true"}'), "policy-type"),
    "redirect": (_http(b'{"result": true}', "302 Found", "Location: http://127.0.0.1:1/\r\n"), "policy-unavailable"),
    "201": (_http(b'{"result": true}', "201 Created"), "policy-unavailable"),
    "cut short": (b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"result": true}', "policy-unavailable"),
    "too long": (_http(b'{"result": true, "x": "' + b"x" * (2 << 20) + b'"}'), "policy-unavailable"),
    "not http": (b"\x00\x01\x02 nonsense\r\n\r\n", "policy-unavailable"),
    "silent": (None, "policy-unavailable"),
    "nothing": (b"", "policy-unavailable"),
}


async def _with_server(answer: bytes | None, body: Callable[[str], Awaitable[None]]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await asyncio.sleep(PATIENCE_S)
            writer.write(answer or b"")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        await body(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_server(name: str) -> None:
    answer, code = HOSTILE[name]

    async def body(url: str) -> None:
        engine = OpaEngine(url, DEADLINE)
        await engine.load({"catalog": _bundle()})
        begun = time.monotonic()
        decision = await engine.decide("catalog", None, {"ok": True})
        assert (decision.allowed, decision.code) == (False, code), decision
        assert time.monotonic() - begun < PATIENCE_S
        await engine.close()

    asyncio.run(_with_server(answer, body))


def test_no_server() -> None:
    async def main() -> None:
        engine = OpaEngine(f"http://127.0.0.1:{free_port()}", DEADLINE)
        await engine.load({"catalog": _bundle()})
        decision = await engine.decide("catalog", None, {"ok": True})
        assert (decision.allowed, decision.code) == (False, "policy-unavailable")
        assert await engine.problems()
        await engine.close()

    asyncio.run(main())


def test_restarted_without_policies(opa_server: OpaServer) -> None:
    async def main() -> None:
        engine = OpaEngine(opa_server.url, 2.0)
        await engine.load({"catalog": _bundle()})
        opa_server.put("policies/p", POLICY)
        assert await engine.problems() == ()
        assert (await engine.decide("catalog", None, {"ok": True})).allowed
        opa_server.stop()
        assert (await engine.decide("catalog", None, {"ok": True})).code == "policy-unavailable"
        opa_server.start()
        decision = await engine.decide("catalog", None, {"ok": True})
        assert (decision.allowed, decision.code) == (False, "policy-undefined")
        assert "no policy for catalog" in (await engine.problems())[0]
        opa_server.put("policies/p", POLICY)
        assert (await engine.decide("catalog", None, {"ok": True})).allowed
        await engine.close()

    asyncio.run(main())
