"""A small project with everything that coverage tells apart."""

from __future__ import annotations

from pathlib import Path

from tests.projects import jwks, write

CONTRACT = """\
openapi: 3.1.1
info: {title: Shop, version: "1", description: "<script>alert(1)</script>"}
servers: [{url: /shop/v1}]
security: [{bearer: ["read"]}, {key: []}]
paths:
  /things/{id}:
    get:
      operationId: getThing
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}, example: 7}
        - {name: full, in: query, schema: {type: boolean}}
      responses:
        "200":
          description: ok
          content:
            application/json: {schema: {type: object}, example: {id: 7}}
            text/plain: {schema: {type: string}}
        4XX: {description: refused}
  /things:
    post:
      operationId: addThing
      requestBody:
        content:
          application/json: {schema: {type: object, required: [name]}, example: {name: ball}}
          text/plain: {schema: {type: string}}
      responses:
        "201": {description: made}
components:
  securitySchemes:
    bearer: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://t", scopes: {read: r}}}}
    key: {type: apiKey, in: header, name: X-Key}
"""

POLICY = """\
package shop.authz

default allow := false

allow if input.sidegate.operation_id == "getThing"

allow if {
	input.sidegate.operation_id == "addThing"
	input.sidegate.consumer == "mobile"
}

reasons contains "only mobile adds things" if input.sidegate.operation_id == "addThing"
"""

SETTINGS = """\
services: {shop: {upstream: "http://127.0.0.1:9"}}
security:
  bearer: {issuer: "https://issuer.test", audiences: [shop], jwks: {file: jwks.json}}
  key: {keys: {file: keys.yaml}}
"""

TABLE = """\
tokens: {reader: {sub: rita, scope: read}}
tests:
  - {operation: getThing, token: reader, expect: 200}
  - {title: with a key, request: "GET /shop/v1/things/8?full=true", key: mobile, expect: 200}
  - {title: no number, request: GET /shop/v1/things/x, token: reader, expect: 400 type}
  - {title: nobody, request: GET /shop/v1/things/7, expect: 401}
  - {operation: addThing, key: mobile, expect: 201}
  - {title: not mobile, operation: addThing, key: web, expect: 403 policy-denied}
"""

FILES = {
    "contracts/shop/v1.yaml": CONTRACT,
    "policies/shop/authz.rego": POLICY,
    "sidegate.yaml": SETTINGS,
    "keys.yaml": f"keys: [{{consumer: mobile, sha256: {'ab' * 32}}}, {{consumer: web, sha256: {'cd' * 32}}}]\n",
}


def project(root: Path, table: str = TABLE, contract: str = CONTRACT, **more: str) -> Path:
    """The project in a folder; `table` is what `v1_test.yaml` says."""
    files = {**FILES, "contracts/shop/v1.yaml": contract, "jwks.json": jwks(), "contracts/shop/v1_test.yaml": table}
    return write(root, {**files, **more})
