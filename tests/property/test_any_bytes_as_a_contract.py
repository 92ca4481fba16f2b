"""Law: any bytes as a contract give a contract with diagnostics; never an exception, and never an operation without id."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from xds.contract import Cache, Contract, compile_contract
from xds.diagnostics import CODES, has_errors

ROOT = "contracts/pets/v1.yaml"

TEXT = """
openapi 3.0.4 3.1.0 3.2.0 info paths /a /a/{b} {b} get post query parameters name in path header schema content required
application/json multipart/form-data requestBody security bearer servers url x-sidegate policy none reason mode type
object array string integer properties items allOf oneOf anyOf not $ref #/components/schemas/A # #/ ../x components
schemas A securitySchemes discriminator propertyName mapping enum const pattern format $id $anchor $dynamicRef encoding
style explode additionalProperties responses operationId tags nullable readOnly minimum exclusiveMinimum
"""
WORDS = st.sampled_from(TEXT.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)


def well_formed(contract: Contract) -> None:
    for problem in contract.diagnostics:
        assert problem.code in CODES
        assert problem.span is not None
        assert problem.message.isprintable()
    if not has_errors(contract.diagnostics):
        ids = [o.id for o in contract.operations]
        assert all(ids)
        assert len(set(ids)) == len(ids)
    json.dumps(dict(contract.schemas.resources), allow_nan=False)


def compiled(data: bytes, file: str = ROOT, cache: Cache | None = None) -> Contract:
    contract = compile_contract({file: data, "contracts/x": b"a: 1"}, file, service="p", version="v1", cache=cache)
    well_formed(contract)
    return contract


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([ROOT, "contracts/pets/v1.json"]))
@example(b"\xef\xbb\xbfopenapi: 3.0.0\npaths: {}", ROOT)
def test_bytes(data: bytes, file: str) -> None:
    compiled(data, file)


@settings(deadline=None)
@given(st.text(alphabet="{}[]:,-&*!|>'\"%@`#? \n\tab01<~", max_size=80))
def test_yaml_like_text(text: str) -> None:
    compiled(text.encode())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_any_value(value: Any) -> None:
    compiled(yaml.safe_dump(value).encode())


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """A real document of which some value has become another one."""
    version = draw(st.sampled_from(["3.0.4", "3.1.0", "3.2.0"]))
    document = yaml.safe_load(REAL.format(version=version))
    for _ in range(draw(st.integers(1, 3))):
        node: Any = document
        while isinstance(node, (dict, list)) and node:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], (dict, list)) or not node[key] or draw(st.integers(0, 4)) == 0:
                node[key] = draw(VALUES)
                break
            node = node[key]
    return document


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken())
def test_a_document_with_something_else_in_it(document: Any) -> None:
    compiled(json.dumps(document).encode())


REAL = """
openapi: {version}
info: {{title: t, version: "1"}}
servers: [{{url: "https://x.test/{{v}}", variables: {{v: {{default: v1}}}}}}]
security: [{{bearer: []}}]
x-sidegate: {{policy: pets/authz/allow, mode: report}}
paths:
  /pets/{{id}}:
    parameters: [{{$ref: "#/components/parameters/Id"}}, {{name: X-T, in: header, content: {{text/plain: {{schema: {{}}}}}}}}]
    x-sidegate: {{undeclared: pass}}
    post:
      operationId: a
      tags: [pets]
      parameters: [{{name: at, in: query, style: deepObject, explode: true, schema: {{type: object}}}}]
      requestBody:
        required: true
        content:
          application/json: {{schema: {{$ref: "#/components/schemas/Pet"}}}}
          multipart/form-data:
            schema: {{type: object, properties: {{f: {{type: string, format: binary}}}}}}
            encoding: {{f: {{contentType: image/png, headers: {{X-A: {{schema: {{type: string}}}}}}}}}}
      responses: {{}}
components:
  parameters: {{Id: {{name: id, in: path, required: true, schema: {{type: integer, format: int64}}}}}}
  securitySchemes: {{bearer: {{type: http, scheme: bearer}}}}
  schemas:
    Pet:
      discriminator: {{propertyName: kind, mapping: {{c: Cat}}}}
      oneOf: [{{$ref: "#/components/schemas/Cat"}}]
    Cat:
      allOf: [{{type: object, required: [id, kind], properties: {{id: {{type: string, readOnly: true}}}}}}]
      properties: {{kind: {{enum: [c, Cat]}}, kids: {{type: array, items: {{$ref: "#/components/schemas/Pet"}}}}}}
      patternProperties: {{"^x-": {{type: string, pattern: "a+"}}}}
"""


def test_the_real_document_is_right() -> None:
    assert not has_errors(compiled(REAL.format(version="3.1.0").encode()).diagnostics)
