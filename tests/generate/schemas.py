"""Lowered schemas, looked up by URI, with a judge of their own: the Python `jsonschema`, which the gateway does not use."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from xds.model import Schemas


class Library:
    """The schemas of one version."""

    def __init__(self, schemas: Schemas) -> None:
        self._resources = schemas.resources
        self._judges: dict[str, Any] = {}

    def schema(self, uri: str) -> Any:
        """The schema at an absolute URI; KeyError if there is none."""
        resource, _, fragment = uri.partition("#")
        name = unquote(fragment).removeprefix("/").replace("~1", "/").replace("~0", "~")
        return self._resources[resource][name]

    def accepts(self, uri: str, value: Any) -> bool:
        """Whether `jsonschema` finds the value to be valid, formats asserted as far as it knows them."""
        if (judge := self._judges.get(uri)) is None:
            judge = self._judges[uri] = self._judge({"$ref": uri})
        return bool(judge.is_valid(value))

    def accepts_part(self, schema: Any, value: Any) -> bool:
        """The same for a schema that is a part of another."""
        return bool(self._judge(schema).is_valid(value))

    def _judge(self, schema: Any) -> Any:
        from jsonschema import Draft202012Validator, FormatChecker

        return Draft202012Validator(_renamed(schema), registry=self._registry, format_checker=FormatChecker())

    @cached_property
    def _registry(self) -> Any:
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT202012

        resources = [(uri, Resource(contents, DRAFT202012)) for uri, contents in _renamed(self._resources).items()]
        return Registry().with_resources(resources)


def _renamed(schemas: Any) -> Any:
    """The same with a scheme that `urllib.parse` knows; of others without a host it drops the slashes."""
    return json.loads(json.dumps(schemas).replace('"sidegate:///', '"http://contracts.test/'))
