"""The services themselves, in this process, with what the contracts' examples are about in stock."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the services are scripts beside each other

LAMP = "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The URL of the services, without a gateway before them."""
    import serve
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(serve.application(), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started, "the services did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def stock(service: str) -> Callable[[object], None]:
    """Puts there what the contracts' examples are about."""
    import catalog
    import orders

    def put(case: object) -> None:
        catalog.STOCK[LAMP] = {
            "name": "Lamp",
            "price": 2900,
            "currency": "EUR",
            "category": "tools",
            "qty": 12,
            "tags": [],
        }
        orders.ORDERS[7] = {"number": 7, "owner": "rita", "status": "open", "lines": [{"item": LAMP, "quantity": 2}]}

    return put
