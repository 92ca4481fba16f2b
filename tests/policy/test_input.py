"""What a policy reads, and the input document built from only that."""

from __future__ import annotations

from typing import Any

import pytest

from xds.policy.bundle import Bundle, load_bundle
from xds.policy.input import Reads, build_input, prune, reads

READS = [
    ("allow if input.a.b == 1", {"a/b"}),
    ("allow if input.a.b", {"a/b"}),
    ("allow if { x := input.a; x.b == 1; x.c.d == 2 }", {"a/b", "a/c/d"}),
    ('allow if { input.a["b c"] == 1; input.a[input.k] }', {"a", "k"}),
    ("allow if { some h in input.list; h == 1 }", {"list"}),
    ("allow if input == {}", {""}),
    ("allow if http.method == 1\nhttp := input.attributes.request.http", {"attributes/request/http/method"}),
    ("allow if f(input.a)\nf(x) if x.b == 1", {"a"}),
    ("allow if object.get(input, [`a`], 1) == 2", {""}),
    ("allow if not input.a.b == 1\nreasons contains input.why if true", {"a/b", "why"}),
    ("allow if not startswith(input.a.b, `x`)", {"a/b"}),
    ("allow := input.give", {"give"}),
    ("allow if true == true", set()),
    ("allow if data.catalog.authz.other with input.z as 1\nother if input.y == 1", {"y"}),
    ("allow if count([x | x := input.xs[_]; x.y == input.q]) > 0", {"xs", "q"}),
    ("allow if { some k, v in input.m.n; k == v }", {"m/n"}),
    ("allow if every x in input.xs { x == 1 }".replace("every", "{ every") + " }", {"xs"}),
    ("allow if walk(input.w, [_, 1])", {"w"}),
]


def _bundle(text: str) -> Bundle:
    source = f"package catalog.authz\n{text}\n"
    bundle, said = load_bundle("catalog", {"policies/catalog/authz.rego": source.encode()})
    assert bundle is not None, said
    return bundle


@pytest.mark.parametrize(("text", "want"), READS, ids=[text for text, _ in READS])
def test_reads(text: str, want: set[str]) -> None:
    assert {"/".join(path) for path in reads(_bundle(text), None).paths} == want


def test_unknown_rules_read_everything() -> None:
    assert reads(_bundle("allow if input.a"), "catalog/authz/none") == Reads.everything()
    assert reads(None, None) == Reads.everything()


def _build(want: Reads | None = None, **more: Any) -> dict[str, Any]:
    headers = (("host", "api.test"), ("x-a", "1"), ("x-a", "2"))
    base: dict[str, Any] = {"method": "GET", "path": "/v1/a%2Fb/c", "query": "q=1&q=2&e=", "headers": headers}
    return build_input(**{**base, "host": "api.test", "sidegate": {"claims": {"sub": "ann"}}, "reads": want, **more})


def test_whole_document() -> None:
    document = _build(body=b'{"n": 1}', parsed_body={"n": 1})
    assert document["attributes"]["request"]["http"] == {
        "id": "",
        "method": "GET",
        "path": "/v1/a%2Fb/c?q=1&q=2&e=",
        "host": "api.test",
        "scheme": "http",
        "protocol": "HTTP/1.1",
        "headers": {"host": "api.test", "x-a": "1,2"},
        "body": '{"n": 1}',
        "size": 8,
    }
    assert document["parsed_path"] == ["v1", "a/b", "c"]
    assert document["parsed_query"] == {"q": ["1", "2"], "e": [""]}
    assert document["parsed_body"] == {"n": 1}
    assert document["truncated_body"] is False
    assert "parsed_body" not in _build()


def test_only_what_is_read_is_built() -> None:
    want = Reads(frozenset({("attributes", "request", "http", "method"), ("sidegate", "claims", "role")}))
    assert _build(want) == {"attributes": {"request": {"http": {"method": "GET"}}}, "sidegate": {"claims": {}}}


def test_pruning_keeps_what_is_defined_on_the_way() -> None:
    want = Reads(frozenset({("a", "b"), ("c", "d", "e"), ("f", "g")}))
    assert prune({"a": {"x": 1}, "c": {"d": 5}, "h": 1}, want) == {"a": {}, "c": {"d": 5}}
