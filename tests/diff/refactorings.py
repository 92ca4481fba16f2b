"""A contract -> the same contract written in another way, one refactoring a function.

Each takes a document and a source of chance, and gives the files of a contract and the name of its root.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

Document = dict[str, Any]
Files = dict[str, bytes]
FOLDER = "contracts/shop/v1/"
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def written(document: Document) -> Files:
    """A document as the one file of a contract."""
    return {f"{FOLDER}openapi.yaml": yaml.safe_dump(document, sort_keys=False).encode()}


def as_json(document: Document, chance: random.Random) -> Files:
    return {f"{FOLDER}openapi.json": json.dumps(document).encode()}


def reordered(document: Document, chance: random.Random) -> Files:
    """Members of every mapping, and items of lists whose order says nothing, in another order."""

    def shuffled(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            names = list(value)
            chance.shuffle(names)
            return {name: shuffled(value[name], name) for name in names}
        if isinstance(value, list):
            items = [shuffled(item) for item in value]
            if key in ("required", "enum", "allOf", "anyOf", "oneOf", "type", "parameters", "tags", "security"):
                chance.shuffle(items)
            return items
        return value

    return written(shuffled(document))


def renamed_components(document: Document, chance: random.Random) -> Files:
    """Every component has another name; discriminators say with `mapping` what they meant."""
    document = copy.deepcopy(document)
    names: dict[str, str] = {}
    for kind, members in document.get("components", {}).items():
        if kind != "securitySchemes":
            names |= {f"#/components/{kind}/{name}": f"#/components/{kind}/Renamed{name}" for name in members}
            document["components"][kind] = {f"Renamed{name}": value for name, value in members.items()}
    for value in _mappings(document):
        if isinstance(value.get("discriminator"), dict):
            parts = [part["$ref"] for key in ("oneOf", "anyOf") for part in value.get(key, ()) if "$ref" in part]
            known = value["discriminator"].setdefault("mapping", {})
            for part in parts:
                if part not in known.values():  # a name beside the one that clients have is no refactoring
                    known.setdefault(part.rpartition("/")[2], part)
            value["discriminator"]["mapping"] = {name: names.get(ref, ref) for name, ref in known.items()}
    for value in _mappings(document):
        if isinstance(value.get("$ref"), str):
            value["$ref"] = names.get(value["$ref"], value["$ref"])
    return written(document)


def renamed_schemes(document: Document, chance: random.Random) -> Files:
    """Security schemes have other names: what a client brings is the same."""
    document = copy.deepcopy(document)
    schemes = document.get("components", {}).get("securitySchemes", {})
    document.setdefault("components", {})["securitySchemes"] = {f"my_{name}": value for name, value in schemes.items()}
    for value in _mappings(document):
        if isinstance(value.get("security"), list):
            value["security"] = [{f"my_{name}": scopes for name, scopes in each.items()} for each in value["security"]]
    return written(document)


def inlined(document: Document, chance: random.Random) -> Files:
    """Some references are replaced by what they lead to."""
    found = copy.deepcopy(document)

    def inline(value: Any, depth: int = 0) -> Any:
        if isinstance(value, dict):
            text = value.get("$ref")
            if isinstance(text, str) and len(value) == 1 and depth < 3 and chance.random() < 0.7:
                return inline(copy.deepcopy(_at(document, text)), depth + 1)
            keep = "discriminator" in value  # it names references
            return {k: v if keep and k in ("oneOf", "anyOf") else inline(v, depth) for k, v in value.items()}
        return [inline(item, depth) for item in value] if isinstance(value, list) else value

    found["paths"] = inline(found["paths"])
    return written(found)


_CLOSING = {"additionalProperties", "unevaluatedProperties", "allOf"}


def extracted(document: Document, chance: random.Random) -> Files:
    """Inline schemas become components, and a part of some objects an `allOf`."""
    document = copy.deepcopy(document)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for holder, key in list(_schemas(document["paths"])):
        if "$ref" not in holder[key] and chance.random() < 0.7:
            name = f"Extracted{len(schemas)}"
            schemas[name], holder[key] = holder[key], {"$ref": f"#/components/schemas/{name}"}
    for name, schema in list(schemas.items()):
        plain = isinstance(schema, dict) and "properties" in schema and not _CLOSING & schema.keys()
        if plain and chance.random() < 0.7:
            taken = dict(list(schema["properties"].items())[: chance.randint(0, len(schema["properties"]))])
            schemas[f"{name}Part"] = {"properties": taken}
            schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in taken}
            schema["allOf"] = [{"$ref": f"#/components/schemas/{name}Part"}]
    return written(document)


def split(document: Document, chance: random.Random) -> Files:
    """Schemas and path items in files of their own."""
    document = copy.deepcopy(document)
    schemas = document.get("components", {}).get("schemas", {})
    alone = {f"#/components/schemas/{name}": f"schemas/{name}.yaml" for name in schemas}

    def led(value: Any, up: str) -> Any:
        if isinstance(value, list):
            return [led(item, up) for item in value]
        if not isinstance(value, dict):
            return value
        text = value.get("$ref")
        if isinstance(text, str):
            here = f"{up}openapi.yaml{text}" if up else text
            return value | {"$ref": up + alone[text] if text in alone else here}
        found = {key: led(item, up) for key, item in value.items()}
        if isinstance(value.get("discriminator"), dict):
            mapping = dict(value["discriminator"].get("mapping", {}))
            for part in (*value.get("oneOf", ()), *value.get("anyOf", ())):
                if part["$ref"] not in mapping.values():
                    mapping.setdefault(part["$ref"].rpartition("/")[2], part["$ref"])
            mapped = {name: up + alone.get(str(ref), str(ref)) for name, ref in mapping.items()}
            found["discriminator"] = {**value["discriminator"], "mapping": mapped}
        return found

    files = {
        f"{FOLDER}schemas/{name}.yaml": yaml.safe_dump(led(value, "../")).encode() for name, value in schemas.items()
    }
    root = led(
        {**document, "components": {k: v for k, v in document.get("components", {}).items() if k != "schemas"}}, ""
    )
    for number, path in enumerate(document["paths"]):
        if chance.random() < 0.5:
            text = yaml.safe_dump(led(document["paths"][path], "../")).encode()
            files[f"{FOLDER}paths/{number}.yaml"] = text
            root["paths"][path] = {"$ref": f"paths/{number}.yaml"}
    return files | written(root)


def hoisted(document: Document, chance: random.Random) -> Files:
    """Parameters that all operations of a path have move to the path item; those of the path item move down."""
    document = copy.deepcopy(document)
    for item in document["paths"].values():
        own = [item[method] for method in _METHODS if method in item]
        above = item.pop("parameters", None)
        if above is not None:
            for operation in own:
                mine = operation.setdefault("parameters", [])
                operation["parameters"] = [*mine, *(p for p in above if _key(p) not in map(_key, mine))]
        elif own and all(operation.get("parameters") == own[0].get("parameters") for operation in own):
            moved = [operation.pop("parameters", []) for operation in own]
            item["parameters"] = moved[0]
    return written(document)


def based(document: Document, chance: random.Random) -> Files:
    """The base path moves from `servers` into the templates."""
    document = copy.deepcopy(document)
    base = document.pop("servers")[0]["url"]
    document["paths"] = {f"{base}{path}": item for path, item in document["paths"].items()}
    return written(document)


def renamed_variables(document: Document, chance: random.Random) -> Files:
    """The variables of paths have other names."""
    document = copy.deepcopy(document)
    for value in _mappings(document):
        if value.get("in") == "path" and "name" in value:
            value["name"] = f"the_{value['name']}"
    document["paths"] = {path.replace("{", "{the_"): item for path, item in document["paths"].items()}
    return written(document)


def modern(document: Document, chance: random.Random) -> Files:
    """OpenAPI 3.1 in the place of 3.0: `nullable` is a type, exclusive bounds are numbers."""
    document = copy.deepcopy(document) | {"openapi": "3.1.0"}
    for value in list(_mappings(document)):
        if value.pop("nullable", False):
            value["type"] = [value["type"], "null"]
        for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if value.get(exclusive) is True:
                value[exclusive] = value.pop(plain)
            elif value.get(exclusive) is False:
                del value[exclusive]
    return written(document)


def _key(parameter: Document) -> tuple[str, str]:
    return str(parameter.get("in", parameter.get("$ref"))), str(parameter.get("name"))


def _mappings(value: Any) -> Iterator[Document]:
    """Every mapping of a document."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _mappings(item)


def _schemas(value: Any) -> Iterator[tuple[Document, str]]:
    """Every mapping under `schema`, by what holds it."""
    for each in _mappings(value):
        if isinstance(each.get("schema"), dict):
            yield each, "schema"


def _at(document: Document, reference: str) -> Any:
    found: Any = document
    for token in reference.removeprefix("#/").split("/"):
        found = found[token.replace("~1", "/").replace("~0", "~")]
    return found


REFACTORINGS: tuple[Callable[[Document, random.Random], Files], ...] = (
    as_json,
    reordered,
    renamed_components,
    renamed_schemes,
    inlined,
    extracted,
    split,
    hoisted,
    based,
    renamed_variables,
    modern,
)
