"""Hostile documents: a diagnostic with a place, quickly, with bounded memory, and no socket or file beyond the root."""

from __future__ import annotations

import builtins
import os
import socket
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from xds.contract import Contract, compile_contract
from xds.contract.schemas import patterns

patterns.refusal("a")  # the engine is imported before the guards are up


@pytest.fixture(autouse=True)
def nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every way out of the process is a failure of the test."""
    tried: list[str] = []

    def refuse(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            tried.append(f"{name}{args[:1]}")
            raise AssertionError(f"{name} was called: {args[:1]}")

        return call

    with monkeypatch.context() as patched:
        for module, name in (
            (builtins, "open"),
            (os, "open"),
            (os, "system"),
            (socket, "socket"),
            (subprocess, "Popen"),
        ):
            patched.setattr(module, name, refuse(name))
        yield tried
    assert tried == []


def compiled(text: str, seconds: float = 1.0, megabytes: float = 100, **others: str) -> Contract:
    files = {"contracts/pets/v1.yaml": text.encode(), **{k.replace("__", "/"): v.encode() for k, v in others.items()}}
    tracemalloc.start()
    started = time.process_time()
    try:
        contract = compile_contract(files, "contracts/pets/v1.yaml", service="pets", version="v1")
        spent, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent < seconds * 4, "tracing makes it some four times slower"
    assert peak < megabytes * 1e6
    for problem in contract.diagnostics:
        assert problem.span is not None
        assert problem.span.line > 0, problem
        assert "\n" not in problem.message
        assert all(c.isprintable() for c in problem.message), problem.message
    return contract


def codes(contract: Contract) -> set[str]:
    return {d.code for d in contract.diagnostics if d.is_error}


HEAD = 'openapi: {}\ninfo: {{title: t, version: "1"}}\nsecurity: []\n'


def body(schema: str, components: str = "", version: str = "3.0.4") -> str:
    content = f"content: {{application/json: {{schema: {schema}}}}}"
    return (
        HEAD.format(version) + f"paths: {{/a: {{post: {{requestBody: {{{content}}}, responses: {{}}}}}}}}\n{components}"
    )


def components(**schemas: str) -> str:
    return "components:\n  schemas:\n" + "".join(f"    {name}: {text}\n" for name, text in schemas.items())


REF = "{{$ref: '#/components/schemas/{}'}}"


def test_d01_a_recursive_schema_compiles() -> None:
    tree = f"{{type: object, properties: {{left: {REF.format('T')}, right: {REF.format('T')}}}}}"
    contract = compiled(body(REF.format("T"), components(T=tree)))
    assert contract.diagnostics == ()
    assert len(contract.schemas.resources["sidegate:///contracts/pets/v1.yaml"]) == 2


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf", "not"])
def test_d02_cycles_that_take_nothing_apart(keyword: str) -> None:
    part = REF.format("B")
    part = part if keyword == "not" else f"[{part}]"
    assert codes(compiled(body(REF.format("A"), components(A=REF.format("A"))))) == {"ref-cycle"}
    cycle = components(A=f"{{{keyword}: {part}}}", B=REF.format("A"))
    assert codes(compiled(body(REF.format("A"), cycle))) == {"ref-cycle"}


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("file:///etc/passwd", "ref-remote"),
        ("\\\\host\\share", "ref-remote"),
        ("gopher://localhost:1/x", "ref-remote"),
        ("http://127.0.0.1:1/a.yaml#/A", "ref-remote"),
        ("//127.0.0.1:1/a", "ref-remote"),
        ("../../../etc/passwd", "path-escapes"),
        ("/etc/passwd", "path-escapes"),
        ("%2e%2e/%2e%2e/%2e%2e/etc/passwd", "path-escapes"),
        ("..%2f..%2f..%2fetc/passwd", "path-escapes"),
        ("%252e%252e/x", "path-escapes"),
        ("..%5c..%5cx", "path-escapes"),
        ("../../policies/pets/data.json", "path-escapes"),
        ("a.yaml?x=../..", "path-escapes"),
        ("a\x00.yaml", "ref-remote"),
        ("x" * 100_000, "ref-unresolved"),
        ("#/paths/~1a/post/nothing", "ref-unresolved"),
        ("#nowhere", "ref-unresolved"),
        ("#/%zz", "ref-unresolved"),
    ],
)
@pytest.mark.parametrize("version", ["3.0.4", "3.1.0"])
def test_d04_d05_references_that_lead_out(reference: str, code: str, version: str) -> None:
    written = '"' + reference.replace("\\", "\\\\").replace("\x00", "\\0") + '"'
    contract = compiled(body(f"{{$ref: {written}}}", version=version), policies__pets__data_dot_json="{}")
    assert codes(contract) == {code}


def test_d05_ids_do_not_turn_references_into_requests() -> None:
    schema = "{$id: 'http://127.0.0.1:1/a/', allOf: [{$ref: b}, {$ref: '../contracts/pets/v1.yaml'}]}"
    assert codes(compiled(body(schema, version="3.1.0"))) == {"ref-remote"}
    stolen = "{$id: 'sidegate:///contracts/pets/v2.yaml', type: string}"
    assert codes(compiled(body(stolen, version="3.1.0"), contracts__pets__v2_dot_yaml="a")) <= {"schema-id"}


def test_d07_alias_bomb() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    assert codes(compiled(bomb)) == {"document-budget"}


def test_d07_an_alias_bomb_within_the_budget_is_walked_once() -> None:
    """Aliases within the budget are shared values; what walks them has a budget too."""
    bomb = "x-0: &a0 {type: object, properties: {a: {}, b: {}}}\n"
    bomb += "".join(f"x-{i}: &a{i} {{anyOf: [{', '.join([f'*a{i - 1}'] * 8)}]}}\n" for i in range(1, 6))
    compiled(body("*a5", "").replace("paths:", bomb + "paths:"), seconds=3)


def test_d07_reference_fan_out() -> None:
    many = {f"S{i}": f"{{allOf: [{', '.join([REF.format(f'S{i + 1}')] * 9)}]}}" for i in range(9)}
    assert codes(compiled(body(REF.format("S0"), components(**many, S9="{}")))) == {"schema-budget"}


def test_d07_shapes_do_not_multiply() -> None:
    def fields(i: int) -> str:
        following = REF.format(f"S{i + 1}")
        return "{properties: {" + ", ".join(f"p{j}: {following}" for j in range(9)) + "}}"

    many = {f"S{i}": fields(i) for i in range(9)}
    contract = compiled(body(REF.format("S0"), components(**many, S9="{}")), seconds=3)
    assert codes(contract) == set()


def test_d08_tags() -> None:
    for tag in ("!!python/object/apply:os.system ['true']", "!!binary aGk=", "!include /etc/passwd", "!!set {a}"):
        assert codes(compiled(f"openapi: 3.0.4\ninfo: {tag}\n")) == {"yaml-tag"}


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? "])
def test_d10_nesting(unit: str) -> None:
    assert codes(
        compiled("openapi: 3.0.4\nx-a: " + ("\n " if unit[-1] == " " and unit[0] != "{" else "") + unit * 100_000)
    )


def test_d10_schemas_as_deep_as_documents_may_be() -> None:
    schema = "{not: " * 110 + "{}" + "}" * 110
    compiled(body(schema))
    deeper = "{properties: {a: " * 55 + "{}" + "}}" * 55
    compiled(body(deeper))


def test_d11_duplicates_name_both_lines() -> None:
    (problem,) = compiled(HEAD.format("3.0.4") + "paths:\n  /a: {}\n  /b: {}\n  /a: {}\n").diagnostics
    assert (problem.code, problem.span and problem.span.line) == ("duplicate-key", 7)
    assert [s.line for s, _ in problem.related] == [5]
    (problem,) = compiled(HEAD.format("3.0.4") + "security: []\npaths: {}\n").diagnostics
    assert problem.code == "duplicate-key"


def test_d13_patterns_that_backtrack_elsewhere() -> None:
    for pattern in ("^(a+)+$", "(.*)*=", "|".join(f"word{i}" for i in range(400))):
        assert codes(compiled(body(f"{{pattern: '{pattern}'}}"))) == set()
    for pattern in ("|".join(f"word{i}" for i in range(2000)), "((a{100}){100}){100}"):
        assert codes(compiled(body(f"{{pattern: '{pattern}'}}"))) == {"pattern-unsupported"}


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(a)\\1", "(?<n>a)\\k<n>", "(?>a)", "a**", "\\Qa"]
)
def test_d14_patterns_that_are_refused(pattern: str) -> None:
    assert codes(compiled(body(f"{{pattern: '{pattern}'}}"))) == {"pattern-unsupported"}
    assert codes(compiled(body(f"{{patternProperties: {{'{pattern}': {{}}}}}}", version="3.1.0"))) == {
        "pattern-unsupported"
    }


def test_d16_choices_that_multiply() -> None:
    many = {f"S{i}": f"{{oneOf: [{REF.format(f'S{i + 1}')}, {REF.format(f'S{i + 1}')}]}}" for i in range(20)}
    assert codes(compiled(body(REF.format("S0"), components(**many, S20="{}")))) == {"schema-budget"}


def get(paths: list[str]) -> str:
    names = [[f"v{j}" for j, part in enumerate(p.split("/")) if part.startswith("{")] for p in paths]
    lines = [
        f"  '{path}': {{get: {{parameters: ["
        + ", ".join(f"{{name: {n}, in: path, required: true, schema: {{}}}}" for n in own)
        + "], responses: {}}}"
        for path, own in zip(paths, names, strict=True)
    ]
    return HEAD.format("3.0.4") + "paths:\n" + "\n".join(lines) + "\n"


def test_d17_templates_that_overlap_in_too_many_ways() -> None:
    """Every subset of nine segments is a variable, so that templates cross in some 4^9 ways."""
    paths = ["".join(f"/{{v{j + 1}}}" if i >> j & 1 else "/a" for j in range(9)) for i in range(2**9)]
    contract = compiled(get(paths), seconds=2)
    assert "path-budget" in codes(contract) or sum(d.code == "path-overlap" for d in contract.diagnostics) >= 50


def test_d17_long_patterns_in_one_segment() -> None:
    one = "/" + "".join(f"a{{x{i}}}" for i in range(300))
    other = "/" + "".join(f"{{x{i}}}a" for i in range(300))
    contract = compiled(
        HEAD.format("3.0.4")
        + f"paths:\n  '{one}': {{get: {{responses: {{}}}}}}\n  '{other}': {{get: {{responses: {{}}}}}}\n",
        seconds=10,
    )
    assert contract.diagnostics


def test_d19_ids_never_reach_a_message_raw() -> None:
    text = HEAD.format("3.0.4") + 'paths: {/a: {get: {operationId: "<script>\\n\\e[31m\\u202e", responses: {}}}}\n'
    assert codes(compiled(text)) == {"operation-id"}
    long = HEAD.format("3.0.4") + f"paths: {{/a: {{get: {{operationId: {'x' * 65536}, responses: {{}}}}}}}}\n"
    (problem,) = compiled(long).diagnostics
    assert len(problem.message) < 200


def test_d20_text_of_the_contract_is_escaped_in_messages() -> None:
    evil = "\\e[31m\\u202e<b>\\0"
    text = f'openapi: 3.0.4\n"{evil}": 1\nsecurity: [{{"{evil}": []}}]\npaths: {{"{evil}": {{}}, "/{evil}{{{evil}": {{}}}}\n'
    assert compiled(text).diagnostics


def test_d26_nothing_is_fetched() -> None:
    schema = "{oneOf: [{$ref: '#/components/schemas/A'}], discriminator: {propertyName: k, mapping: {a: 'http://127.0.0.1:1/a'}}}"
    contract = compiled(body(schema, components(A="{type: object, externalDocs: {url: 'http://127.0.0.1:1'}}")))
    assert codes(contract) == {"ref-remote"}
    text = body("{}").replace("schema: {}", "schema: {}, examples: {e: {externalValue: 'http://127.0.0.1:1/e'}}")
    assert compiled(text).diagnostics == ()


def test_numbers_beyond_meaning() -> None:
    for keyword, value, code in (
        ("maxLength", "1e400", "number-range"),
        ("maxLength", "1.5", "wrong-type"),
        ("minItems", "-1", "schema-number"),
        ("maximum", "'5'", "wrong-type"),
        ("multipleOf", "0", "schema-number"),
        ("maximum", "1" + "0" * 500, "schema-number"),
        ("maxItems", "99999999999999999999999", "schema-number"),
    ):
        assert codes(compiled(body(f"{{{keyword}: {value}}}"))) == {code}, keyword
