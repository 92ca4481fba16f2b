"""`rewrite` and `redirect`: what the service is asked for instead, and where a client is sent; never out of the upstream."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with, pets, tree
from tests.waiting import PATIENCE_S
from xds.compile import Compiler

ID = [{"in": "path", "name": "id", "required": True, "schema": {"type": "string", "maxLength": 20}}]
BOTH = [*ID, {"in": "path", "name": "sub", "required": True, "schema": {"type": "string"}}]


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    def get(parameters: list[object] | None = None, **own: object) -> dict[str, object]:
        return {"get": operation(x_sidegate={"undeclared": "pass", **own}, parameters=parameters or [])}

    paths = {
        "/a/{id}/b/{sub}": get(BOTH, rewrite={"path": "/new/{sub}/of/{id}"}),
        "/shop/v1/things/{id}": get(ID, rewrite={"strip": "/shop/v1", "host": "shop.internal"}),
        "/plain": get(rewrite={"path": "/fixed/path"}),
        "/old/{id}": get(ID, redirect={"to": "/new/{id}", "status": 301}),
        "/away/{id}": get(ID, redirect={"to": "https://example.com/things/{id}"}),
        "/secret": {
            "get": operation(x_sidegate={"redirect": {"to": "/plain", "status": 303}}, security=[{"bearer": []}])
        },
    }
    with serve(tmp_path_factory.mktemp("targets"), contract(paths)) as running:
        yield running


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        ("/a/1/b/2?q=%2F..", "/new/2/of/1?q=%2F.."),
        ("/a/x%20y/b/$1&", "/new/$1&/of/x%20y"),
        ("/shop/v1/things/7", "/things/7"),
        ("/plain?x=1", "/fixed/path?x=1"),
    ],
)
def test_the_service_is_asked_for_the_rewritten_path(hop: Hop, asked: str, reached: str) -> None:
    before = len(hop.server.log)
    answer = hop.client.get(asked)
    assert answer.status_code == 200, answer.text
    (request,) = hop.reached(before)
    assert request.environ["REQUEST_URI"] == reached
    assert (request.host == "shop.internal") is asked.startswith("/shop")


@pytest.mark.parametrize("target", ["/a/../b/x/", "/a/%2E%2E/b/2", "/a/1%2F..%2F..%2Fadmin/b/2", "/a/1;x/b/2"])
def test_a_request_cannot_lead_itself_elsewhere(hop: Hop, target: str) -> None:
    """Dots, slashes and matrix parameters in variables are refused or normalised away before anything is rewritten."""
    before = len(hop.server.log)
    import socket

    with socket.create_connection(("127.0.0.1", hop.gateway.port), timeout=PATIENCE_S) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        status = int(connection.recv(4096).split()[1])
    assert status in (400, 404)
    assert len(hop.server.log) == before


@pytest.mark.parametrize(
    ("asked", "status", "location"),
    [
        ("/old/7?q=1", 301, "{url}/new/7?q=1"),
        ("/away/x%0d%0ay", 308, "https://example.com/things/x%0d%0ay"),
        ("/away/evil.com", 308, "https://example.com/things/evil.com"),
    ],
)
def test_a_client_is_sent_elsewhere(hop: Hop, asked: str, status: int, location: str) -> None:
    before = len(hop.server.log)
    answer = hop.client.get(asked)
    assert answer.status_code == status
    assert answer.headers["location"].lower() == location.format(url=hop.gateway.url)
    assert not answer.content
    assert len(hop.server.log) == before


def test_a_redirect_is_judged_first(hop: Hop) -> None:
    assert hop.client.get("/secret").status_code == 401
    assert hop.client.get("/old/" + "x" * 30).status_code == 400
    token = hop.issuer.token(aud="ref", sub="ada")
    answer = hop.client.get("/secret", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{hop.gateway.url}/plain")


@pytest.mark.parametrize(
    ("written", "pointer", "says"),
    [
        ("rewrite: {}", "", "asked for instead"),
        ("rewrite: {path: /x/../y}", "/path", "no plain path"),
        ("rewrite: {path: //evil}", "/path", "no plain path"),
        ("rewrite: {path: '/x?y=1'}", "/path", "no plain path"),
        ("rewrite: {path: 'http://evil/x'}", "/path", "no plain path"),
        ("rewrite: {path: '/x/{id}'}", "/path", "no variable {id}"),
        ("rewrite: {strip: /shop}", "/strip", "does not begin with /shop/"),
        ("rewrite: {path: /x, strip: /pets}", "", "both say"),
        ("rewrite: {host: 'a b'}", "/host", "no host"),
        ("rewrite: {host: 'a:99999'}", "/host", "1 to 65535"),
        ("rewrite: {host: 'a:0'}", "/host", "1 to 65535"),
        ("redirect: {to: 'https://x:99999/a'}", "/to", "no port that there is"),
        ("redirect: {to: 'https://x:0/a'}", "/to", "no port that there is"),
        ("redirect: {to: '//evil.com/x'}", "/to", "neither a path nor a URL"),
        ("redirect: {to: 'javascript:1'}", "/to", "neither a path nor a URL"),
        ("redirect: {to: 'https://{id}.com/'}", "/to", "no host"),
        ("redirect: {to: /pets/v1/pets}", "/to", "to itself"),
        ("redirect: {to: /x, status: 200}", "/status", "308"),
        ("redirect: {to: /x}, mock: true", "", "a mock answers here"),
    ],
)
def test_bad_settings_have_a_place(written: str, pointer: str, says: str) -> None:
    (found,) = compiled_with(written)
    assert found.span
    assert found.span.pointer.endswith(written.partition(":")[0] + pointer)
    assert says in f"{found.message} {found.help}"


def test_what_is_only_a_part_of_a_segment_stays_where_it_is() -> None:
    one = operation(
        parameters=[{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in ("from", "to")],
        x_sidegate={"rewrite": {"path": "/flights/{to}"}, "policy": "none", "reason": "a test"},
    )
    files = pets(contract=json.dumps(contract({"/flights/{from}-{to}": {"get": one}})))
    (found,) = Compiler().compile(tree(files)).diagnostics
    assert (found.code, found.span and found.span.file) == ("extension-value", "contracts/pets/v1.yaml")
    assert "{to} is a part of a segment" in found.message
