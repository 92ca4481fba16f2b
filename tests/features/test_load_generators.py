"""A stranger's load: `wrk` and `h2load`, as they come with a system, count what the gateway admits to the last request."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.waiting import PATIENCE_S

ADMITTED = 100
WRK = ("wrk", "-t2", "-c16", "-d1s")
H2LOAD = ("h2load", "-n600", "-c4", "-m8")


def limited(name: str) -> dict[str, object]:
    limit = {"name": name, "by": ["address"], "limit": ADMITTED, "per": "day"}
    return {"get": operation(x_sidegate={"rateLimits": [limit]})}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    names = ("one", "two")
    with serve(tmp_path_factory.mktemp("loads"), contract({f"/{name}": limited(name) for name in names})) as served:
        yield served


@pytest.mark.skipif(not shutil.which("wrk"), reason="there is no wrk")
def test_wrk(hop: Hop) -> None:
    """HTTP/1.1 over sixteen connections: all it asks is answered, and what has no room is 429."""
    said = _said(*WRK, f"{hop.gateway.url}/one")
    refused = int(_found(r"Non-2xx or 3xx responses: (\d+)", said))
    asked = int(_found(r"(\d+) requests in", said))
    assert asked > ADMITTED
    assert "Socket errors" not in said
    # At its end wrk hangs up on what it has asked and is not told any more.
    assert 0 <= ADMITTED - (asked - refused) <= 16
    assert len([request for request in hop.reached() if request.path == "/one"]) == ADMITTED


@pytest.mark.skipif(not shutil.which("h2load"), reason="there is no h2load")
def test_h2load(hop: Hop) -> None:
    """HTTP/2, eight streams on each of four connections."""
    said = _said(*H2LOAD, f"{hop.gateway.url}/two")
    assert _found(r"status codes: (.+)", said) == f"{ADMITTED} 2xx, 0 3xx, {600 - ADMITTED} 4xx, 0 5xx"
    assert _found(r"requests: .* (\d+) errored", said) == "0"
    assert len([request for request in hop.reached() if request.path == "/two"]) == ADMITTED


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match.group(1)
