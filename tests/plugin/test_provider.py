"""A service is asked what its contract shows; one that breaks it, in each possible place, is caught."""

from __future__ import annotations

import copy
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Response

from pytest_sidegate.project import Staged
from pytest_sidegate.provider import ProviderBroken, Verify
from tests.plugin.service import BROKEN, ID, answers, contract, service, write


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    return Verify(Staged.of(write(tmp_path_factory.mktemp("provider"))))


def test_a_service_that_keeps_its_contract(verify: Verify) -> None:
    with service(answers()) as server:
        found = verify(server.url_for(""), "shop", "v1")
        asked = [(request.method, request.full_path.rstrip("?")) for request, _ in server.log]
    assert [answer.status for answer in found] == [200, 200, 201, 204, 200]
    assert asked == [
        ("GET", "/shop/v1/items?limit=2"),
        ("GET", "/shop/v1/items?limit=100"),
        ("POST", "/shop/v1/items"),
        ("DELETE", f"/shop/v1/items/{ID}"),
        ("GET", f"/shop/v1/items/{ID}"),
    ]


@pytest.mark.parametrize("place", BROKEN)
def test_one_that_breaks_it_is_caught(verify: Verify, place: str) -> None:
    at, response, words = BROKEN[place]
    with service({**answers(), at: response}) as server, pytest.raises(ProviderBroken) as caught:
        verify(server.url_for(""), "shop", "v1")
    told = {(e.request.method, e.request.path.partition("?")[0]) for e in caught.value.exchanges}
    assert told == {at}
    assert words in str(caught.value)


@pytest.mark.parametrize("missing", answers())
def test_a_missing_operation_is_caught(verify: Verify, missing: tuple[str, str]) -> None:
    left = {at: response for at, response in answers().items() if at != missing}
    with service(left) as server, pytest.raises(ProviderBroken) as caught:
        verify(server.url_for(""), "shop", "v1")
    assert {(e.request.method, e.request.path.partition("?")[0]) for e in caught.value.exchanges} == {missing}


def test_everything_wrong_is_told_at_once(verify: Verify) -> None:
    with service({}) as server, pytest.raises(ProviderBroken, match="in 5 of 5 examples"):
        verify(server.url_for(""), "shop", "v1")


def test_an_unknown_contract_or_operation_is_an_error(verify: Verify) -> None:
    with pytest.raises(LookupError, match="shop/v1"):
        verify("http://127.0.0.1:9", "shop", "v7")
    with pytest.raises(LookupError, match="it has add, get, list, remove"):
        verify("http://127.0.0.1:9", "shop", "v1", operations=["gte"])


def test_a_service_that_is_not_there_is_no_pass(verify: Verify) -> None:
    with service({}) as server:
        url = server.url_for("")
    with pytest.raises(ConnectionError):
        verify(url, "shop", "v1")


def test_no_gateway_speaks_for_the_service(verify: Verify) -> None:
    """A problem document of the gateway's own form is an answer as any other here."""
    own = '{"code": "not-found", "traceId": null, "operationId": null, "errors": []}'
    lost = Response(own, 404, content_type="application/problem+json")
    with service({**answers(), ("GET", "/shop/v1/items"): lost}) as server, pytest.raises(ProviderBroken, match="404"):
        verify(server.url_for(""), "shop", "v1")


@contextmanager
def bare(answer: bytes) -> Iterator[str]:
    """The URL of a server that says the same bytes to everybody and hangs up, whether they are an answer or not."""

    def serve() -> None:
        with suppress(OSError):  # nobody listens any more
            while True:
                connection, _ = listening.accept()
                with connection, suppress(OSError):  # whoever asked has gone
                    connection.recv(65536)
                    connection.sendall(answer)

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


_HEAD = b"HTTP/1.1 200 OK\r\nX-Page: 1\r\nContent-Type: application/json\r\n"
NO_ANSWERS = {
    "hangs up": (b"", "no whole answer"),
    "no HTTP": (b"hello\r\n\r\n", "no whole answer"),
    "ends early": (_HEAD + b"Content-Length: 500\r\n\r\n[]", "no whole answer"),
    "no text": (_HEAD + b"Content-Length: 1\r\n\r\n\xff", "body: it cannot be read as its media type says"),
    "a header twice": (_HEAD + b"X-Page: 2\r\nContent-Length: 2\r\n\r\n[]", "header: .*'1,2'"),
}


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer_breaks_the_contract(verify: Verify, what: str) -> None:
    """It is told as what else is wrong, with the request, and the other examples are asked all the same."""
    answer, words = NO_ANSWERS[what]
    with bare(answer) as url, pytest.raises(ProviderBroken, match=words) as caught:
        verify(url, "shop", "v1", operations=["list"])
    assert len(caught.value.broken) == 2
    if "no whole" in words:
        assert "-> no answer" in str(caught.value)


def _one_schema(dialect: str) -> dict[str, Any]:
    """The contract with one schema for what is sent and what is answered: the id is the service's, the secret the client's."""
    document = copy.deepcopy(contract())
    document["openapi"] = dialect
    document["components"]["schemas"] = {
        "Secret": {"type": "string", "writeOnly": True},
        "Part": {"required": ["id"], "properties": {"id": {"type": "string", "readOnly": True}}},
        "Item": {
            "type": "object",
            "allOf": [{"$ref": "#/components/schemas/Part"}, {"type": "object", "required": ["secret", "id"]}],
            "required": ["name", "secret"],
            "properties": {"name": {"type": "string"}, "secret": {"$ref": "#/components/schemas/Secret"}},
        },
    }
    post = document["paths"]["/items"]["post"]
    whole = {"$ref": "#/components/schemas/Item"}
    post["requestBody"]["content"]["application/json"] = {"schema": whole, "example": {"name": "Lamp", "secret": "s"}}
    post["responses"]["201"]["content"]["application/json"] = {"schema": whole, "example": {"id": ID, "name": "Lamp"}}
    return document


@pytest.mark.parametrize("dialect", ["3.0.3", "3.1.0", "3.2.0"])
def test_what_only_one_side_sends(tmp_path: Path, dialect: str) -> None:
    """`required` asks for what is readOnly in answers alone, for what is writeOnly in requests alone, in every dialect."""
    verify = Verify(Staged.of(write(tmp_path, v1=_one_schema(dialect))))
    at = ("POST", "/shop/v1/items")
    answered = {
        "": {"id": ID, "name": "Lamp"},
        "'id' is a required property": {"name": "Lamp"},
        "secret": {"id": ID, "name": "Lamp", "secret": "s"},
    }
    for wrong, value in answered.items():
        made = Response(json.dumps(value), 201, content_type="application/json")
        with service({**answers(), at: made}) as server:
            if not wrong:
                verify(server.url_for(""), "shop", "v1", operations=["add"])
                continue
            with pytest.raises(ProviderBroken, match=wrong):
                verify(server.url_for(""), "shop", "v1", operations=["add"])
