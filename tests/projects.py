"""Small projects for tests: files as text -> Tree, Compilation, or a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from xds.compile import Compilation, Compiler
from xds.diagnostics import Diagnostic
from xds.source import Tree

CONTRACT = """\
openapi: 3.0.3
info: {title: Pets, version: "1"}
servers: [{url: /pets/v1}]
security: [{bearer: []}]
paths:
  /pets:
    get:
      operationId: listPets
      parameters: [{name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}]
      responses: {"200": {description: ok}}
    post:
      operationId: addPet
      security: [{bearer: ["pets:write"]}]
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [name]
              properties: {name: {type: string, maxLength: 10}}
      responses: {"201": {description: ok}}
  /open:
    get:
      operationId: open
      security: []
      x-sidegate: {policy: none, reason: a public page}
      responses: {"200": {description: ok}}
components:
  securitySchemes: {bearer: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://t", scopes: {"pets:write": w}}}}}
"""

POLICY = """\
package pets.authz

default allow := false

allow if input.sidegate.claims.sub == "ada"

reasons contains "only ada may" if input.sidegate.claims.sub != "ada"
"""

SETTINGS = """\
services: {pets: {upstream: "http://127.0.0.1:9"}}
security: {bearer: {issuer: "https://issuer.test", audiences: [pets], jwks: {file: keys.json}}}
publish: {breaking: allow}
"""
ADDED = SETTINGS.count("\n") + 1
"""The line of what a test adds to the settings."""


@lru_cache
def jwks() -> str:
    """A key set of one new public key."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return json.dumps({"keys": [{**json.loads(ECAlgorithm.to_jwk(public)), "alg": "ES256", "kid": "k"}]})


def pets(**changes: str | None) -> dict[str, str]:
    """The files of a whole small project; a change replaces a file (`contract`, `policy`, `settings`), None removes it."""
    names = {"contract": "contracts/pets/v1.yaml", "policy": "policies/pets/authz.rego", "settings": "sidegate.yaml"}
    texts = {"contract": CONTRACT, "policy": POLICY, "settings": SETTINGS, **changes}
    files = {names[name]: text for name, text in texts.items() if text is not None}
    return {**files, "keys.json": jwks()}


def tree(files: Mapping[str, str]) -> Tree:
    return Tree({name: text.encode() for name, text in files.items()})


def compiled(files: Mapping[str, str]) -> Compilation:
    """Compile a project that has no errors."""
    compilation = Compiler().compile(tree(files))
    assert not compilation.refused, compilation.diagnostics
    return compilation


def compiled_with(written: str, document: str = CONTRACT) -> tuple[Diagnostic, ...]:
    """What is said of the small contract with lines of `x-sidegate`, as a flow mapping's inside, on its first operation."""
    text = document.replace("operationId: listPets", f"operationId: listPets\n      x-sidegate: {{{written}}}", 1)
    return Compiler().compile(tree(pets(contract=text))).diagnostics


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
