"""Contract documents -> what they show of each operation: its responses, and its examples with what is wrong with them.

Only tests ask for it: what a contract shows decides nothing about requests, so that the compiler does not look at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.model import Place

from .dialects import dialect
from .examples import Broken, Shown, ShownContent, ShownOperation, ShownResponse
from .library import Library, Loaded
from .node import Node
from .report import Report
from .schemas import Lowering
from .security import follow
from .sources import schema_place

__all__ = ["Broken", "Shown", "ShownContent", "ShownOperation", "ShownResponse", "shown"]

MOST = 3
"""Ways in which one example is broken that are told."""


def shown(files: Mapping[str, bytes], root_file: str) -> dict[Place, ShownOperation]:
    """What the contract in `root_file` shows, by the place of the operation. The contract must compile; of what does not
    there is less here, and nothing raises."""
    library = Library(files, root_file, Loaded())
    root = library.root(root_file) if root_file in files else None
    spoken = dialect(str(root.value.get("openapi"))) if root is not None and isinstance(root.value, dict) else None
    if root is None or spoken is None:
        return {}
    library.with_ids = not spoken.draft4
    if library.with_ids:
        library.index(root)
    asked = Lowering(library, spoken)
    answered = Lowering(library, spoken, hides="writeOnly")
    reading = _Reading(library, _Judge(asked), _Judge(answered), spoken.methods)
    found = list(reading.operations(root))
    reading.requests.prepare()
    reading.responses.prepare()
    return {operation.place: reading.judged(operation) for operation in found}


@dataclass(slots=True)
class _Judge:
    """The schemas of one direction. `expects` is the schema of each example, by its place."""

    lowering: Lowering
    expects: dict[Place, str] = field(default_factory=dict)
    registry: Any = None
    validators: dict[str, Any] = field(default_factory=dict)

    def expect(self, example: Shown, schema: Node | None) -> None:
        if schema is not None:
            self.expects[example.place] = self.lowering.reference(schema).uri

    def prepare(self) -> None:
        import jsonschema_rs as engine

        self.lowering.drain()
        resources = list(self.lowering.resources().items())
        self.registry = engine.Registry(resources, draft=engine.Draft202012) if resources else None

    def broken(self, example: Shown) -> tuple[Broken, ...]:
        uri = self.expects.get(example.place)
        if uri is None:
            return ()
        if uri not in self.validators:
            self.validators[uri] = self._validator(uri)
        validator = self.validators[uri]
        if isinstance(validator, Broken):
            return (validator,)
        errors = (error for error, _ in zip(validator.iter_errors(example.value), range(MOST), strict=False))
        return tuple(
            Broken("".join(f"/{step}" for step in e.instance_path), e.message[:200], _keyword(e, uri)) for e in errors
        )

    def _validator(self, uri: str) -> Any:
        """What judges by a schema, or why it cannot."""
        import jsonschema_rs as engine

        try:
            return engine.Draft202012Validator(
                {"$ref": uri}, registry=self.registry, validate_formats=True, pattern_options=engine.RegexOptions()
            )
        except (engine.ValidationError, engine.ReferencingError, ValueError) as error:
            return Broken("", f"the schema cannot be checked: {error}"[:300], schema_place(uri))


def _keyword(error: Any, uri: str) -> Place:
    return schema_place(error.absolute_keyword_location or uri)


@dataclass(slots=True)
class _Reading:
    """One walk over a document. References that lead nowhere have been complained of by the compiler."""

    library: Library
    requests: _Judge
    responses: _Judge
    methods: tuple[str, ...]

    def operations(self, root: Node) -> Iterator[ShownOperation]:
        paths = root.get("paths")
        whole = root.get("security")
        for _, entry in paths.members() if paths is not None else ():
            item = self.object(entry)
            if item is None:
                continue
            more = item.get("additionalOperations")
            for method, node in (*item.members(), *(more.members() if more is not None else ())):
                known = method in self.methods or node.parent is not item
                if known and (operation := self.object(node)) is not None:
                    yield self.operation(item, operation, whole)

    def operation(self, item: Node, node: Node, whole: Node | None) -> ShownOperation:
        parameters: dict[tuple[str, str], tuple[Shown, ...]] = {}
        for owner in (item, node):
            listed = owner.get("parameters")
            for each in listed.items() if listed is not None else ():
                if (parameter := self.object(each)) is not None:
                    where, name = str(parameter.value.get("in")), str(parameter.value.get("name"))
                    key = (where, name.lower() if where == "header" else name)
                    parameters[key] = self.parameter(parameter, self.requests)
        body = node.get("requestBody")
        body = self.object(body) if body is not None else None
        security = node.get("security") or whole
        return ShownOperation(
            node.place,
            parameters,
            tuple(self.contents(body, self.requests)) if body is not None else (),
            tuple(self.answers(node)),
            tuple(each.place for each in security.items()) if security is not None else (),
        )

    def answers(self, operation: Node) -> Iterator[ShownResponse]:
        responses = operation.get("responses")
        for status, child in responses.members() if responses is not None else ():
            node = None if status.startswith("x-") else self.object(child)
            if node is None:
                continue
            headers = node.get("headers")
            listed = headers.members() if headers is not None else ()
            shown = {
                n.lower(): self.parameter(h, self.responses) for n, c in listed if (h := self.object(c)) is not None
            }
            yield ShownResponse(status, tuple(self.contents(node, self.responses)), shown, child.place)

    def contents(self, node: Node, judge: _Judge) -> Iterator[ShownContent]:
        content = node.get("content")
        for key, entry in content.members() if content is not None else ():
            essence = key.partition(";")[0].strip().lower()
            if (media := self.object(entry)) is not None:
                yield ShownContent(essence, self.examples(media, judge, essence), entry.place)

    def parameter(self, node: Node, judge: _Judge) -> tuple[Shown, ...]:
        """The examples of a parameter or a header, those of its one media type included."""
        content = node.get("content")
        for key, entry in content.members() if content is not None else ():
            if (media := self.object(entry)) is not None:
                return self.examples(media, judge, key.partition(";")[0].strip().lower())
        return self.examples(node, judge, "application/json")

    def examples(self, node: Node, judge: _Judge, essence: str) -> tuple[Shown, ...]:
        found = list(self.own(node))
        schema = node.get("schema")
        target = follow(schema, self.library, Report()) if schema is not None else None
        if target is not None and not found:
            found = list(self.of_schema(target))
        for example in found:
            if _is_data(essence) or not isinstance(example.value, str):
                judge.expect(example, schema)
        return tuple(found)

    def own(self, node: Node) -> Iterator[Shown]:
        if (single := node.get("example")) is not None:
            yield Shown("", single.value, single.place)
        named = node.get("examples")
        for name, child in named.members() if named is not None else ():
            example = self.object(child)
            value = (example.get("value") or example.get("dataValue")) if example is not None else None
            if value is not None:
                yield Shown(name, value.value, value.place)

    def of_schema(self, schema: Node) -> Iterator[Shown]:
        if (own := schema.get("example")) is not None:
            yield Shown("", own.value, own.place)
        several = schema.get("examples")
        for item in several.items() if several is not None else ():
            yield Shown("", item.value, item.place)

    def object(self, node: Node) -> Node | None:
        target = follow(node, self.library, Report())
        return target if target is not None and type(target.value) is dict else None

    def judged(self, operation: ShownOperation) -> ShownOperation:
        """The operation with what is wrong with its examples."""
        req, res = self.requests, self.responses
        return ShownOperation(
            operation.place,
            {key: _judged(each, req) for key, each in operation.parameters.items()},
            tuple(ShownContent(c.range, _judged(c.examples, req), c.place) for c in operation.bodies),
            tuple(
                ShownResponse(
                    r.status,
                    tuple(ShownContent(c.range, _judged(c.examples, res), c.place) for c in r.contents),
                    {name: _judged(each, res) for name, each in r.headers.items()},
                    r.place,
                )
                for r in operation.responses
            ),
            operation.security,
        )


def _judged(examples: tuple[Shown, ...], judge: _Judge) -> tuple[Shown, ...]:
    return tuple(Shown(e.name, e.value, e.place, judge.broken(e)) for e in examples)


def _is_data(essence: str) -> bool:
    """Whether text is a value there, and not perhaps a whole document as it is sent (OpenAPI, Media Type Object)."""
    return "json" in essence or essence.startswith("text/") or essence in ("*/*", "application/octet-stream")
