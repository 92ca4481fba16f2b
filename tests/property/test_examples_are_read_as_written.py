"""Law: a value that an example gives is the value that the companion reads, by every style and media type."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sidegate.wire import written
from sidecar.message import Request
from sidecar.validate import Validators
from tests.validate.contracts import compiled

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
PLAIN = st.text("abcXYZ019-_", min_size=1, max_size=8)
NUMBER = st.integers(-(10**6), 10**6)
ARRAY = {"type": "array", "items": {"type": "string"}}
OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    "additionalProperties": False,
}

VALUES: dict[str, tuple[dict[str, Any], st.SearchStrategy[Any]]] = {
    "string": ({"type": "string"}, TEXT),
    "integer": ({"type": "integer"}, NUMBER),
    "boolean": ({"type": "boolean"}, st.booleans()),
    "array": (ARRAY, st.lists(TEXT, min_size=1, max_size=3)),
    "object": (OBJECT, st.fixed_dictionaries({"a": TEXT, "b": NUMBER})),
}
STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
DELIMITED = ("spaceDelimited", "pipeDelimited", "label")
ALLOWED = {"deepObject": ("object",), "spaceDelimited": ("array",), "pipeDelimited": ("array",)}
CASES = [
    (where, style, explode, kind)
    for where, styles in STYLES.items()
    for style in styles
    for explode in ((True,) if style == "deepObject" else (False,) if style in ALLOWED else (False, True))
    for kind in ALLOWED.get(style, tuple(VALUES))
    if not (
        where == "cookie" and kind in ("array", "object") and explode
    )  # several cookies of one name: nobody's meaning
]


def operation(parameter: dict[str, Any]) -> tuple[Any, Validators]:
    path = "/x/{it}" if parameter["in"] == "path" else "/x"
    spoken = {"parameters": [parameter], "responses": {"200": {"description": "ok"}}}
    contract = compiled({"paths": {path: {"get": spoken}}, "security": []})
    return contract.operations[0], Validators(contract.schemas, contract.operations)


@pytest.mark.parametrize(("where", "style", "explode", "kind"), CASES)
def test_parameters(where: str, style: str, explode: bool, kind: str) -> None:
    schema, values = VALUES[kind]
    if where in ("header", "cookie") or style in DELIMITED:  # they have no escapes for what divides
        values = {"string": PLAIN, "array": st.lists(PLAIN, min_size=1, max_size=3)}.get(kind, values)
        values = st.fixed_dictionaries({"a": PLAIN, "b": NUMBER}) if kind == "object" else values
    name = "x-it" if where == "header" else "it"
    spoken = {"name": name, "in": where, "required": True, "style": style, "explode": explode, "schema": schema}
    found, validators = operation(spoken)

    @settings(max_examples=12, deadline=None)
    @given(values)
    def read_as_written(value: Any) -> None:
        request = written(found, {(where, name): value})
        path, mark, query = request.path.partition("?")
        judgement = validators.judge(found.id, Request("GET", path, query if mark else None, request.headers))
        assert (judgement.violations, getattr(judgement.params, where)) == ((), {name: value})

    read_as_written()


BODIES: dict[str, st.SearchStrategy[Any]] = {
    "application/json": st.fixed_dictionaries({"a": TEXT, "b": NUMBER, "c": st.lists(TEXT, max_size=3)}),
    "application/x-www-form-urlencoded": st.fixed_dictionaries(
        {"a": TEXT, "b": NUMBER, "c": st.lists(TEXT, min_size=1, max_size=3)}
    ),
    "multipart/form-data": st.fixed_dictionaries({"a": TEXT, "b": NUMBER, "c": st.lists(TEXT, min_size=1, max_size=3)}),
    "application/vnd.shop+json": st.fixed_dictionaries({"a": TEXT}),
    "*/*": st.fixed_dictionaries({"a": TEXT}),
    "text/plain": TEXT,
}


@pytest.mark.parametrize("media", BODIES)
def test_bodies(media: str) -> None:
    properties = {"a": {"type": "string"}, "b": {"type": "integer"}, "c": ARRAY}
    schema = {"type": "string"} if media == "text/plain" else {"type": "object", "properties": properties}
    spoken = {"requestBody": {"content": {media: {"schema": schema}}}, "responses": {"200": {"description": "ok"}}}
    contract = compiled({"paths": {"/x": {"post": spoken}}, "security": []})
    found, validators = contract.operations[0], Validators(contract.schemas, contract.operations)
    assert found.body is not None
    entry = found.body.media[0]

    @settings(max_examples=12, deadline=None)
    @given(BODIES[media])
    def read_as_written(value: Any) -> None:
        request = written(found, {}, entry, value)
        judgement = validators.judge(found.id, Request("POST", "/x", None, request.headers, request.body))
        assert (judgement.violations, judgement.body) == ((), value)

    read_as_written()
