"""Several `Cookie` lines are one list (RFC 9113, section 8.2.3), whoever reads them: keys, contract, policy and service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.features.hop import Hop, contract, operation, serve
from xds.keyfile import add

POLICY = """\
package svc.authz

default allow := false

allow if input.sidegate.operation_id != "told"

allow if input.attributes.request.http.headers.cookie == "a=1; b=2,3; c=4"
"""
COLOUR = {"name": "colour", "in": "cookie", "required": True, "schema": {"enum": ["red", "blue"]}}
PATHS = {
    "/key": {"get": operation(security=[{"ckey": []}, {}])},
    "/parameter": {"get": operation(parameters=[COLOUR])},
    "/told": {"get": operation(operationId="told")},
    "/open": {"get": operation(x_sidegate={"policy": "none", "reason": "only forwarded"})},
}
SCHEMES = {"ckey": {"type": "apiKey", "in": "cookie", "name": "session"}}


@pytest.fixture(scope="module")
def key() -> list[str]:
    return []


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, key: list[str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("cookies")
    key.append(add(folder / "consumers.yaml", "mobile"))
    files = {"keys/consumers.yaml": (folder / "consumers.yaml").read_text()}
    settings = {"security": {"ckey": {"keys": {"file": "keys/consumers.yaml"}}}}
    document = contract(PATHS, components={"securitySchemes": SCHEMES})
    with serve(folder, document, settings=settings, files=files, policies={"authz.rego": POLICY}) as running:
        yield running


def lines(*values: str) -> list[tuple[str, str]]:
    return [("cookie", value) for value in values]


def test_a_key_is_found_in_whichever_line_and_taken_off(hop: Hop, key: list[str]) -> None:
    since = len(hop.server.log)
    for sent in (("a=b", f"session={key[0]}"), (f"session={key[0]}", "a=b"), ("a=b", f"x=y; session={key[0]}", "c=d")):
        assert hop.client.get("/key", headers=lines(*sent)).status_code == 200
    assert [(r.headers.get("x-sidegate-consumer"), r.headers.get("cookie")) for r in hop.reached(since)] == [
        ("mobile", "a=b"),
        ("mobile", "a=b"),
        ("mobile", "a=b; x=y; c=d"),
    ]


def test_a_wrong_key_in_a_second_line_is_not_anonymity(hop: Hop, key: list[str]) -> None:
    since = len(hop.server.log)
    for sent in (("a=b", "session=bad"), (f"session={key[0]}", "session=bad"), (f"session={key[0]}",) * 2):
        answer = hop.client.get("/key", headers=lines(*sent))
        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-invalid")
    assert not hop.reached(since)


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        (("a=b", "colour=red"), None),
        (("colour=red", "a=b"), None),
        (("colour=red", "a=b,c"), None),
        (("a=b", "colour=pink"), ["enum"]),
        (("colour=red", "colour=red"), ["duplicate-parameter"]),
        (("a=b", "c=d"), ["missing-parameter"]),
    ],
)
def test_a_parameter_is_judged_in_whichever_line_it_is(
    hop: Hop, sent: tuple[str, ...], codes: list[str] | None
) -> None:
    answer = hop.client.get("/parameter", headers=lines(*sent))
    assert answer.status_code == (400 if codes else 200), answer.text
    if codes:
        assert [error["code"] for error in answer.json()["errors"]] == codes


def test_policy_and_service_see_one_line(hop: Hop) -> None:
    since = len(hop.server.log)
    for path in ("/told", "/open"):
        assert hop.client.get(path, headers=lines("a=1", "b=2,3", "c=4")).status_code == 200, path
    assert [r.headers.get("cookie") for r in hop.reached(since)] == ["a=1; b=2,3; c=4"] * 2


def test_one_line_stays_as_it_is(hop: Hop) -> None:
    since = len(hop.server.log)
    assert hop.client.get("/open", headers=lines('a="1,2";b=3')).status_code == 200
    assert hop.reached(since)[0].headers["cookie"] == 'a="1,2";b=3'
