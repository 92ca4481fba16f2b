"""U: what a service can do to its gateway. What needs a check of responses is not here."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.blackbox.raw import Raw
from tests.e2e.processes import Process
from tests.features.hop import Hop, contract, operation, serve
from tests.waiting import PATIENCE_S

MIB = 1 << 20
LARGE = 10 * MIB


def _answer(head: str, body: bytes = b"ok", *, closes: bool = True) -> bytes:
    """`closes` tells Envoy what the upstream does: else the next request may be sent on a connection that just ends."""
    last = "\r\nconnection: close" if closes else ""
    return b"HTTP/1.1 %s%s\r\n\r\n%s" % (head.encode("latin-1"), last.encode(), body)


GOOD = "200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain"
ANSWERS = {
    "/good": _answer(GOOD),
    "/large": _answer(f"200 OK\r\ncontent-length: {LARGE}", b"x" * LARGE),
    # U04
    "/bare-cr": _answer(f"{GOOD}\r\nx-a: one\rx-b: two"),
    "/nul": _answer(f"{GOOD}\r\nx-a: o\0ne"),
    "/bad-name": _answer(f"{GOOD}\r\nx a: one"),
    "/huge-headers": _answer(GOOD + "".join(f"\r\nx-{n}: {'v' * 2000}" for n in range(100))),
    "/many-headers": _answer(GOOD + "".join(f"\r\nx-{n}: v" for n in range(2000))),
    "/two-lengths": _answer(f"{GOOD}\r\ncontent-length: 3"),
    "/length-and-chunks": _answer(f"{GOOD}\r\ntransfer-encoding: chunked", b"2\r\nok\r\n0\r\n\r\n"),
    "/bad-length": _answer("200 OK\r\ncontent-length: -2"),
    "/bad-status": _answer("20x OK\r\ncontent-length: 2"),
    "/no-http": b"ssh-2.0 hello\r\n\r\n",
    # U05
    "/leaky": _answer(f"{GOOD}\r\nserver: Apache/1.3\r\nx-powered-by: PHP/4\r\nx-aspnet-version: 1\r\nx-fine: yes"),
    "/trace": _answer("500 Oops\r\ncontent-length: 23\r\nx-powered-by: PHP/4", b"Traceback: db.py line 3"),
    "/trace-open": _answer("500 Oops\r\ncontent-length: 23\r\nx-powered-by: PHP/4", b"Traceback: db.py line 3"),
    # C08
    "/untyped": _answer("200 OK\r\ncontent-length: 25", b"<script>alert(1)</script>"),
    "/page": _answer("200 OK\r\ncontent-length: 25\r\ncontent-type: text/html", b"<script>alert(1)</script>"),
    "/own-words": _answer(f"{GOOD}\r\nx-content-type-options: guess"),
    "/told-to-guess": _answer(GOOD),
    "/doubled": _answer(f"{GOOD}\r\nx-content-type-options: nosniff"),
    # U08
    "/early": _answer(GOOD, closes=False),
    "/early-close": _answer(f"413 Too Large\r\n{GOOD.partition(chr(10))[2]}"),
}
GUESS = {"x-content-type-options": "none"}
UPLOADS = ("/early", "/early-close")
MALFORMED = ("/nul", "/bad-name", "/huge-headers", "/many-headers", "/two-lengths", "/length-and-chunks",
             "/bad-length", "/bad-status", "/no-http")  # fmt: skip


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    strip = {"headers": {"response": {"remove": ["server", "x-powered-by", "x-aspnet-version"]}}}
    hidden = {**strip, "errors": {"service-error": {"detail": "The catalogue failed."}}}
    image = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
    paths = {path: {"get": operation()} for path in ANSWERS if path not in UPLOADS}
    paths |= {path: {"post": operation(requestBody=image)} for path in UPLOADS}
    paths["/trace"] = {"get": operation(x_sidegate=hidden)}
    paths["/told-to-guess"] = {"get": operation(x_sidegate={"headers": {"response": {"set": GUESS}}})}
    with Raw(ANSWERS, frozenset(["/early"])) as raw:
        settings = {"services": {"svc": {"upstream": raw.url}}}
        document = contract(paths, **{"x-sidegate": strip})
        with serve(tmp_path_factory.mktemp("upstreams"), document, settings=settings) as running:
            yield running


@pytest.fixture(autouse=True)
def _unharmed(hop: Hop) -> Iterator[None]:
    """O3: the same processes, and they serve."""
    before = {role: process.pid for role, process in hop.gateway.roles().items()}
    yield
    assert hop.client.get("/good").text == "ok"
    assert {role: process.pid for role, process in hop.gateway.roles().items()} == before


def _envoy(hop: Hop) -> Process:
    return hop.gateway.roles()["envoy"]


def test_u02_a_large_answer_streams_and_is_held_by_nobody(hop: Hop) -> None:
    """Nothing checks answers here, so that they stream; a client that does not read makes the service wait, not Envoy."""
    began = _envoy(hop).rss
    host = b"GET /large HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n"
    idle = [socket.create_connection(("127.0.0.1", hop.gateway.port)) for _ in range(20)]
    for connection in idle:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(host)
    time.sleep(0.5)
    held = _envoy(hop).rss - began
    for connection in idle:
        connection.close()
    assert held < 40 * MIB, f"{held // MIB} MiB for 20 clients that read nothing of {LARGE // MIB} MiB each"
    answer = hop.client.get("/large")
    assert (answer.status_code, len(answer.content)) == (200, LARGE)


@pytest.mark.parametrize("path", MALFORMED)
def test_u04_what_is_not_http_is_502_and_nothing_of_it_is_shown(hop: Hop, path: str) -> None:
    answer = hop.client.get(path)
    assert answer.status_code == 502, (answer.status_code, answer.headers)
    assert (answer.headers["content-type"], answer.json()["code"]) == ("application/problem+json", "upstream-failed")
    assert re.fullmatch(r"[0-9a-f]{32}", answer.json()["traceId"])
    assert [name for name in answer.headers if name.startswith("x-")] == ["x-content-type-options"]


def test_u04_a_bare_carriage_return_makes_no_header(hop: Hop) -> None:
    """Envoy 1.40 does not refuse it in answers, as it does in requests: it takes it out, and the rest is one value."""
    answer = hop.client.get("/bare-cr")
    assert "x-b" not in answer.headers
    assert not any("\r" in value or "\n" in value for value in answer.headers.values())


def test_u05_what_the_service_runs_on_is_not_told(hop: Hop) -> None:
    answer = hop.client.get("/leaky")
    assert answer.text == "ok"
    assert answer.headers["server"] == "sidegate"
    assert answer.headers["x-fine"] == "yes"
    assert not {"x-powered-by", "x-aspnet-version"} & set(answer.headers)


def test_u05_nor_why_it_failed_when_asked(hop: Hop) -> None:
    answer = hop.client.get("/trace")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert (answer.json()["code"], answer.json()["detail"]) == ("service-error", "The catalogue failed.")
    assert "Traceback" not in answer.text
    shown = hop.client.get("/trace-open")
    assert (shown.status_code, shown.text) == (500, "Traceback: db.py line 3")
    assert "x-powered-by" not in shown.headers


@pytest.mark.parametrize("path", ["/untyped", "/page", "/good", "/doubled", "/trace", "/trace-open", "/bad-length"])
def test_c08_no_browser_takes_an_answer_for_something_else(hop: Hop, path: str) -> None:
    """The service's, that in place of the service's, and the gateway's own; nothing checks answers against the contract here."""
    assert hop.client.get(path).headers.get_list("x-content-type-options") == ["nosniff"]


def test_c08_nor_a_refusal_or_one_that_has_no_route(hop: Hop) -> None:
    for answer in (hop.client.get("/nothing"), hop.client.delete("/good"), hop.client.get("/good?undeclared=1")):
        assert answer.status_code in (400, 404, 405)
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    codec = hop.client.get("/good", headers={"x-long": "a" * 65_536})
    assert (codec.status_code, codec.headers["x-content-type-options"]) == (431, "nosniff")


@pytest.mark.parametrize(("path", "told"), [("/own-words", "guess"), ("/told-to-guess", "none")])
def test_c08_a_service_or_its_contract_may_say_otherwise(hop: Hop, path: str, told: str) -> None:
    assert hop.client.get(path).headers.get_list("x-content-type-options") == [told]


@pytest.mark.parametrize(("path", "status"), [("/early", 200), ("/early-close", 413)])
def test_u08_an_answer_before_the_bodys_end(hop: Hop, path: str, status: int) -> None:
    """The client gets it while it still has to send; nobody waits for the other."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: image/png\r\nContent-Length: {8 * MIB}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", hop.gateway.port), timeout=PATIENCE_S) as connection:
        connection.sendall(head + b"x" * 1000)
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]


def test_u08_and_clients_that_send_all_of_it_do_not_hang(hop: Hop) -> None:
    for path, status in (("/early", 200), ("/early-close", 413)):
        seen = _upload(hop, path)
        # 0: the connection was ended under the client's hands; 502: the service's was, under Envoy's
        assert seen in (status, 0, 502), seen


def _upload(hop: Hop, path: str) -> int:
    """The status, 0 if the connection ended before there was one."""
    try:
        return hop.client.post(path, content=b"x" * (4 * MIB), headers={"content-type": "image/png"}).status_code
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return 0
