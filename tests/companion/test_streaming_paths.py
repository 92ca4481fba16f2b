"""A body of arbitrary bytes streams, whatever the path of its operation is written like."""

from __future__ import annotations

import pytest

from tests.projects import CONTRACT, compiled, pets
from xds.streaming import streams

UPLOAD = """\
    put:
      operationId: upload
      x-sidegate: {policy: none, reason: a test}
      PARAMETERS
      requestBody: {content: {application/octet-stream: {schema: {type: string, format: binary}}}}
      responses: {"201": {description: ok}}
  /open:
"""


@pytest.mark.parametrize("path", ["/files", "/files/{id}", "/caf%C3%A9/{a}"])
def test_streams(path):
    name = path.partition("{")[2].removesuffix("}")
    declared = f"parameters: [{{name: {name}, in: path, required: true, schema: {{type: string}}}}]" if name else ""
    contract = CONTRACT.replace("  /open:\n", f'  "{path}":\n' + UPLOAD.replace("PARAMETERS", declared), 1)
    version = compiled(pets(contract=contract)).gateway.services[0].versions[0]
    [operation] = [o for o in version.operations if o.id == "upload"]
    assert operation.body is not None
    assert streams(operation.body, version.schemas)
