"""One document, one request -> two verdicts: ours and openapi-core's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import yaml

from sidecar.message import Request
from sidecar.validate import Validators
from tests.validate.contracts import compiled, request


class Judges:
    """Both judges of one document with one operation, prepared."""

    def __init__(self, document: dict[str, Any]) -> None:
        from openapi_core import Config, OpenAPI

        frame = {"openapi": "3.1.1", "info": {"title": "test", "version": "1"}, "servers": [{"url": "/"}]}
        self._document = {**frame, **document}
        contract = compiled(document)
        self._operation = contract.operations[0].id
        self._ours = Validators(contract.schemas, contract.operations)
        self._theirs = OpenAPI.from_dict(self._document, config=Config(spec_validator_cls=None))

    def ours(self, asked: Request) -> bool:
        return not self._ours.judge(self._operation, asked).violations

    def theirs(self, asked: Request) -> bool:
        """openapi-core's verdict; whatever it raises is a refusal, as it is for whoever calls it in a server."""
        try:
            self._theirs.validate_request(Asked(asked))
        except Exception:  # noqa: BLE001
            return False
        return True


class Asked:
    """A request as openapi-core's protocol has it, decoded as its WSGI integrations do."""

    host_url = "http://localhost"

    def __init__(self, asked: Request) -> None:
        from openapi_core.datatypes import RequestParameters
        from werkzeug.datastructures import Headers, ImmutableMultiDict
        from werkzeug.http import parse_cookie

        self.path = unquote(asked.path)
        self.method = asked.method.lower()
        self.body = asked.body or None
        self.content_type = asked.header("content-type") or ""
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(asked.query or "", keep_blank_values=True)),
            header=Headers(list(asked.headers)),
            cookie=parse_cookie("; ".join(asked.all("cookie"))),
        )


@lru_cache(maxsize=512)
def judges(text: str) -> Judges:
    """The judges of a document written as YAML; remembered, since openapi-core takes its time."""
    return Judges(yaml.safe_load(text))


def verdicts(text: str, row: dict[str, Any]) -> tuple[bool, bool]:
    """Ours and theirs: whether each lets the request of a row pass."""
    both, asked = judges(text), request(row)
    return both.ours(asked), both.theirs(asked)
