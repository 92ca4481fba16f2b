"""Operation -> requests: one that keeps to the contract, and others with one thing wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.generate import wire
from tests.generate.broken import Broken, Path, broken
from tests.generate.schemas import Library
from tests.generate.values import Unmade, Values
from xds.model import Body, Location, Name, Operation, Parameter, Schemas

Texts = dict[tuple[Location, str], str]


@dataclass(frozen=True)
class Sent:
    """A request without its token. `query` is None if there is no `?`; `type` the body's Content-Type."""

    operation: Operation
    method: str
    path: str
    query: str | None
    headers: tuple[tuple[str, str], ...]
    type: str | None
    body: bytes

    @property
    def target(self) -> str:
        return self.path if self.query is None else f"{self.path}?{self.query}"


@dataclass(frozen=True)
class Wrong:
    """A request with one thing wrong: the status and the codes of which the answer must name one, `where` it was changed.

    `pointer` is the RFC 6901 place of the change, at or above which the answer must point.
    """

    kind: str
    request: Sent
    status: int
    codes: frozenset[str]
    where: str
    pointer: str


CHOICES = frozenset({"any-of", "one-of"})
"""What a change within an alternative may be reported as: the alternatives are not ours to choose from."""


class Requests:
    """Draws requests for the operations of one version."""

    def __init__(self, schemas: Schemas, seed: int = 1) -> None:
        self.library = Library(schemas)
        self._seed = seed

    def valid(self, operation: Operation) -> Sent:
        """A request with every required part and some optional ones. Raises `Unmade`."""
        return self._draft(operation).sent()

    def wrong(self, operation: Operation, most: int) -> list[Wrong]:
        """Up to `most` broken requests, of as many kinds as there are."""
        draft = self._draft(operation)
        found: dict[str, Wrong] = {}
        for each in [*_of_parameters(draft), *_of_body(draft), *_of_frame(draft)]:
            found.setdefault(f"{each.kind} {each.where}", each)
        chosen = list(found.values())
        random.Random(f"{self._seed} {operation.id}").shuffle(chosen)
        return chosen[:most]

    def _draft(self, operation: Operation) -> Draft:
        return Draft(operation, self.library, random.Random(f"{self._seed} {operation.id}"))


class Draft:
    """A valid request in parts: parameters' values and texts, and the body's value."""

    def __init__(self, operation: Operation, library: Library, rng: random.Random) -> None:
        self.operation = operation
        self.library = library
        self.values: dict[tuple[Location, str], Any] = {}
        self.texts: Texts = {}
        for each in operation.parameters:
            self._parameter(each, rng)
        self.media, self.body = self._body(operation.body, rng)

    def _parameter(self, each: Parameter, rng: random.Random) -> None:
        if each.schema is None or (not each.required and rng.random() < 0.4):
            return
        values = Values(self.library, rng, wide=each.location is Location.QUERY)
        try:
            value = values.valid(each.schema.uri, nonempty=True)
            if not wire.is_flat(value):
                raise Unmade(f"no style of OpenAPI writes what {each.name} holds")
        except Unmade:
            if each.required:
                raise
            return
        self.values[each.location, each.name] = value
        self.texts[each.location, each.name] = wire.parameter(each, value)

    def _body(self, body: Body | None, rng: random.Random) -> tuple[str | None, Any]:
        if body is None:
            return None, None
        media = rng.choice(body.media)
        plain = not media.range.endswith("json")
        value = Values(self.library, rng, wide=not plain).valid(media.schema.uri) if media.schema else {}
        return media.range, value

    def sent(self, texts: Texts | None = None) -> Sent:
        """The request, with these texts of its parameters instead of its own."""
        texts = self.texts if texts is None else texts
        queries = [text for (where, _), text in texts.items() if where is Location.QUERY]
        headers = tuple((name, text) for (where, name), text in texts.items() if where is Location.HEADER)
        kind, data = (None, b"") if self.media is None else wire.body(self.media, self.body)
        method, path = self.operation.method, path_of(self.operation, texts)
        return Sent(self.operation, method, path, "&".join(queries) or None, headers, kind, data)


def path_of(operation: Operation, texts: Texts) -> str:
    """The path of an operation with its variables' texts filled in."""
    segments = []
    for segment in operation.path.segments:
        parts = [
            texts[Location.PATH, p.name] if isinstance(p, Name) else wire.quote(p, safe="~!$&'()*+,;=:@")
            for p in segment.parts
        ]
        segments.append("".join(parts))
    return "/" + "/".join(segments)


def _of_parameters(draft: Draft) -> Iterator[Wrong]:
    for each in draft.operation.parameters:
        key = (each.location, each.name)
        where, pointer = each.location.value, _pointer((each.name,))

        def wrong(kind: str, texts: Texts, *codes: str, w: str = where, p: str = pointer) -> Wrong:
            return Wrong(kind, draft.sent(texts), 400, frozenset(codes or (kind,)), w, p)

        if key not in draft.texts or each.schema is None:
            continue
        if each.required and each.location is not Location.PATH:
            yield wrong("missing-parameter", {k: t for k, t in draft.texts.items() if k != key})
        if each.location is Location.QUERY:
            name = wire.quote(each.name, safe="")
            if not each.allow_empty:
                yield wrong("empty-parameter", {**draft.texts, key: f"{name}="})
            if not each.shape.types & {"array", "object"}:
                yield wrong("duplicate-parameter", {**draft.texts, key: f"{draft.texts[key]}&{draft.texts[key]}"})
            yield wrong("malformed-parameter", {**draft.texts, key: f"{name}=%zz"})
        for found, text in _texts(draft.library, each, draft.values[key]):
            codes = (found.kind, "enum", "type", *CHOICES)
            yield wrong(found.kind, {**draft.texts, key: text}, *codes, p=pointer + _pointer(found.at))


def _texts(library: Library, parameter: Parameter, value: Any) -> Iterator[tuple[Broken, str]]:
    """Broken texts of a parameter: those that the schema refuses whatever type the text is read as."""
    assert parameter.schema is not None
    for each in broken(library, parameter.schema.uri, value):
        if each.value in ("", []) or isinstance(each.value, dict) or not wire.is_flat(each.value):
            continue
        if isinstance(value, list) != isinstance(each.value, list) or (each.kind == "type" and _texts_only(value)):
            continue
        readings = [_as_text(each.value), _as_json(each.value)]
        text = wire.parameter(parameter, each.value)
        if parameter.location is Location.HEADER and not text.isascii():
            continue
        if not any(library.accepts(parameter.schema.uri, reading) for reading in readings):
            yield each, text


def _texts_only(value: Any) -> bool:
    return isinstance(value[0] if isinstance(value, list) else value, str)


def _as_text(value: Any) -> Any:
    return [wire.plain(v) for v in value] if isinstance(value, list) else wire.plain(value)


def _as_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_json(v) for v in value]
    try:
        return json.loads(wire.plain(value))
    except ValueError:
        return value


def _of_body(draft: Draft) -> Iterator[Wrong]:
    body, good = draft.operation.body, draft.sent()

    def wrong(kind: str, request: Sent, status: int = 400, *codes: str, pointer: str = "") -> Wrong:
        return Wrong(kind, request, status, frozenset(codes or (kind,)), "body", pointer)

    if body is None:
        sent = replace(good, type="application/json", body=b'{"a":1}')
        yield wrong("unexpected-body", sent)
        return
    if body.required:
        # A body that is streamed on is judged by its head, and the head has to say what it is.
        codes = ("missing-body", "unsupported-media-type")
        yield wrong("missing-body", replace(good, type=None, body=b""), 415 if is_streamed(draft) else 400, *codes)
    yield wrong("unsupported-media-type", replace(good, type="application/x-nothing"), 415)
    if draft.media is None or not draft.media.endswith("json"):
        return
    yield wrong("malformed-json", replace(good, body=good.body + b"}"))
    schema = next(m.schema for m in body.media if m.range == draft.media)
    for each in broken(draft.library, schema.uri, draft.body) if schema else ():
        sent = replace(good, body=wire.body(draft.media, each.value)[1])
        pointer = _pointer(each.at[:-1] if each.kind == "required" else each.at)
        yield wrong(each.kind, sent, 400, each.kind, "enum", "const", "type", *CHOICES, pointer=pointer)


def _pointer(path: Path) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def is_streamed(draft: Draft) -> bool:
    """Whether the body goes on while it comes: bytes of which nothing is asked."""
    return draft.media == "application/octet-stream"


def _of_frame(draft: Draft) -> Iterator[Wrong]:
    good = draft.sent()
    query = "no-such-parameter=1" if good.query is None else f"{good.query}&no-such-parameter=1"
    if not draft.operation.query_open:
        codes = frozenset({"unknown-parameter"})
        yield Wrong("unknown-parameter", replace(good, query=query), 400, codes, "query", "/no-such-parameter")
