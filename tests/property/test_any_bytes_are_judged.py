"""Whatever is sent is judged: no bytes as path, query, header, cookie or body make the validators raise, and what is refused
says so with rows of the published table, without a word of what was sent."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.codes import CODES
from sidecar.message import Request
from sidecar.validate import Disagreement, Validators
from sidecar.validate.report import CAP
from tests.validate.contracts import compiled

TABLES = Path(__file__).parents[1] / "requests"
PROFILE = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

PIECES = st.sampled_from(
    [
        *[
            "p",
            "id",
            "limit",
            "ids",
            "deep[n]",
            "deep[",
            "a",
            "R",
            "=",
            "&",
            "&&",
            ",",
            ";",
            "|",
            "%20",
            "%",
            "%zz",
            "%00",
            "%ff",
        ],
        *[
            "%C3%A9",
            "+",
            "[",
            "]",
            "{",
            "}",
            '"',
            "\\",
            "1",
            "-0",
            "1e999",
            "true",
            "null",
            "/",
            "..",
            "é",
            "\x00",
            "\ud800",
        ],
    ]
)
TEXT = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=20))
TYPES = st.sampled_from(
    [
        *[
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=XX",
            "text/plain",
            "text/x",
        ],
        *[
            "application/problem+json; charset=utf-8",
            "image/png",
            "",
            "/",
            "a/b;c",
            'a/b;c="',
            "application/json;charset=\xff",
        ],
    ]
)
TOKENS = st.sampled_from(
    [
        *[
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b'"a"',
            b'"name"',
            b'"price"',
            b"1",
            b"-",
            b"1e400",
            b"NaN",
            b"null",
            b'"\\ud800"',
        ],
        *[
            b"--XX",
            b"--XX--",
            b"\r\n",
            b"\r\n\r\n",
            b'Content-Disposition: form-data; name="id"',
            b"Content-Type: application/json",
        ],
        *[b"=", b"&", b"%", b"%ff", b"\x00", b"\xff", b"\xef\xbb\xbf", b" ", b"\\", b'"'],
    ]
)
BYTES = st.one_of(st.binary(max_size=60), st.lists(TOKENS, max_size=20).map(b"".join))


@cache
def prepared(name: str) -> tuple[Validators, dict[str, tuple[str, str]]]:
    contract = compiled(yaml.safe_load((TABLES / f"{name}.yaml").read_text())["contract"])
    paths = {operation.id: (operation.method, operation.path.text) for operation in contract.operations}
    return Validators(contract.schemas, contract.operations), paths


@pytest.mark.parametrize("table", ["items", "parameters", "bodies"])
@PROFILE
@given(st.data())
def test_any_bytes(table: str, data: st.DataObject) -> None:
    validators, operations = prepared(table)
    operation = data.draw(st.sampled_from(sorted(operations)))
    method, template = operations[operation]
    segments = [data.draw(TEXT).replace("/", "") if "{" in segment else segment for segment in template.split("/")]
    names = st.sampled_from(["content-type", "cookie", "x-count", "x-list", "x-rgb", "content-encoding", "accept"])
    headers = data.draw(st.lists(st.tuples(names, TEXT), max_size=4))
    headers += [("content-type", value) for value in data.draw(st.lists(TYPES, max_size=1))]
    sent = Request(method, "/".join(segments), data.draw(st.none() | TEXT), tuple(headers), data.draw(BYTES))
    try:
        judgement = validators.judge(operation, sent)
    except Disagreement:
        assert ".{" in template  # `{name}.{ext}`: the text drawn has no full stop, so the path is another one
        return
    assert len(judgement.violations) <= CAP
    for violation in judgement.violations:
        assert violation.status == CODES[violation.code].status
        assert violation.location in {"path", "query", "header", "cookie", "body"}
        assert violation.pointer == "" or violation.pointer.startswith("/")


@PROFILE
@given(st.text(max_size=30), st.text(max_size=30))
def test_a_path_of_another_template_never_passes(first: str, second: str) -> None:
    validators, _ = prepared("items")
    path = f"/v1/{first}/{second}"
    if path.split("/")[:3] == ["", "v1", "items"] and path.count("/") == 3:
        return
    if "%" in first:
        return
    with pytest.raises(Disagreement):
        validators.judge("getItem", Request("GET", path, None, ()))


def test_an_unknown_operation_never_passes() -> None:
    with pytest.raises(KeyError):
        prepared("items")[0].judge("nothing", Request("GET", "/v1/items", None, ()))


SECRET = "s3cret-Value"


@pytest.mark.parametrize(
    "sent",
    [
        Request("GET", "/v1/items", f"limit={SECRET}", ()),
        Request("POST", "/v1/items", None, (("content-type", "application/json"),), f'{{"name":"{SECRET}!"}}'.encode()),
        Request("POST", "/v1/items", None, (("content-type", "application/json"),), f'"{SECRET}"'.encode()),
        Request("POST", "/v1/items", None, (("content-type", "application/json"),), f'{{"{SECRET}'.encode()),
        Request("POST", "/v1/items", None, (("content-type", SECRET),), b"{}"),
    ],
)
def test_details_never_quote_what_was_sent(sent: Request) -> None:
    validators, _ = prepared("items")
    judgement = validators.judge("createItem" if sent.method == "POST" else "listItems", sent)
    assert judgement.violations
    assert not [v for v in judgement.violations if SECRET in v.detail or SECRET in v.pointer]


@pytest.mark.parametrize("text", ["\ud800", "Ā", "1\ud800"])
def test_text_that_is_no_octets_never_passes(text: str) -> None:
    validators, _ = prepared("parameters")
    sent = Request(
        "GET", "/headers", None, (("x-count", "1"), ("x-list", text), ("cookie", f"session={text}; raw={text}"))
    )
    pointers = {violation.pointer for violation in validators.judge("headers", sent).violations}
    assert pointers == {"/x-list", "/session", "/raw"}
    assert validators.judge("query", Request("GET", "/query", f"q={text}", ())).violations
    assert validators.judge("fields", Request("GET", "/fields", f"n={text}", ())).violations
