"""The kubelet's probes of an app on loopback reach it as they would without a sidecar, over the server that answers them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

import httpx
import pytest

from tests.e2e.journal import Entry, Journal
from tests.waiting import PATIENCE_S
from xds.http.probes import Probes
from xds.http.serving import Serving


async def _none() -> None:
    return None


async def _well() -> list[str]:
    return []


def asked(words: list[str], path: str, headers: Mapping[str, str] | None = None) -> tuple[int, list[Entry]]:
    """The status of a probe, and what the app got of it; `{}` in words and path is the app's port."""

    async def run() -> int:
        on = socket.create_server(("127.0.0.1", 0))
        at = f"http://127.0.0.1:{on.getsockname()[1]}/probe/"
        probes = Probes(_well, _none, [each.format(journal.port) for each in words])
        serving = Serving(probes, on)
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
                return (await client.get(at + path.format(journal.port), headers=headers)).status_code
        finally:
            await serving.stop()
            await probes.close()

    with Journal() as journal:
        return asyncio.run(run()), journal.since(0)


@pytest.mark.parametrize(
    ("word", "path", "target"),
    [
        ("healthz", "healthz", "/healthz"),
        ("healthz?full=1&as=a%20b", "healthz?full=1&as=a%20b", "/healthz?full=1&as=a%20b"),
        ("deep down", "deep%20down", "/deep%20down"),
        ("deep%20down", "deep%20down", "/deep%20down"),
        ("über", "%C3%BCber", "/%C3%BCber"),
        ("healthz#x", "healthz", "/healthz"),
        ("", "", "/"),
    ],
)
def test_a_probe_is_asked_as_the_pod_says(word: str, path: str, target: str) -> None:
    """A kubelet escapes what must be, sends the query as it is written and no fragment."""
    status, got = asked([f"{{}}/{word}"], f"{{}}/{path}")
    assert (status, [entry.target for entry in got]) == (200, [target])


@pytest.mark.parametrize("path", ["{}/other", "{}/healthz?full=2", "{}/healthz", "1/healthz?full=1"])
def test_nothing_else_is_asked(path: str) -> None:
    assert asked(["{}/healthz?full=1"], path) == (404, [])


def test_the_headers_of_a_probe_reach_the_app() -> None:
    """`Host` where the pod names one: the kubelet's own says the port of the sidecar. Connections are nobody else's."""
    headers = {"host": "shop.test", "x-probe": "1", "user-agent": "kube-probe/1.34"}
    status, (entry,) = asked(["{0}/healthz"], "{0}/healthz", {**headers, "connection": "close"})
    assert status == 200
    assert [entry.all(name) for name in headers] == [[value] for value in headers.values()]
    assert entry.all("connection") == ["keep-alive"]
    _, (entry,) = asked(["{0}/{0}"], "{0}/{0}")
    assert entry.all("host") == [f"127.0.0.1:{entry.target.removeprefix('/')}"]
