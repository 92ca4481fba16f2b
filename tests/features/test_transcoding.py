"""`transcode`: JSON by the contract for clients, gRPC for the service; what is no call never reaches it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cache import kept
from tests.projects import pets, tree
from xds.compile import Compiler

ID = {"in": "path", "name": "id", "required": True, "schema": {"type": "integer"}}
Field = descriptor_pb2.FieldDescriptorProto


def _file() -> descriptor_pb2.FileDescriptorProto:
    """shop.proto: GET /items/{id} and POST /items of a service shop.Shop."""
    item = descriptor_pb2.DescriptorProto(name="Item")
    item.field.add(name="id", number=1, type=Field.TYPE_INT32, label=Field.LABEL_OPTIONAL, json_name="id")
    item.field.add(name="title", number=2, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL, json_name="title")
    shop = descriptor_pb2.ServiceDescriptorProto(name="Shop")
    rules = {"Get": http_pb2.HttpRule(get="/items/{id}"), "Add": http_pb2.HttpRule(post="/items", body="*")}
    rules["Get"].additional_bindings.add(get="/kept/{id}")
    for name, rule in rules.items():
        method = shop.method.add(name=name, input_type=".shop.Item", output_type=".shop.Item")
        method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    dependency = ["google/api/annotations.proto"]
    return descriptor_pb2.FileDescriptorProto(
        name="shop.proto", package="shop", syntax="proto3", dependency=dependency, message_type=[item], service=[shop]
    )


def descriptors() -> bytes:
    """What protoc --include_imports writes."""
    found = descriptor_pb2.FileDescriptorSet()
    for each in (descriptor_pb2.DESCRIPTOR, http_pb2.DESCRIPTOR, annotations_pb2.DESCRIPTOR):
        each.CopyToProto(found.file.add())
    found.file.append(_file())
    return found.SerializeToString()


@dataclass
class Calls:
    hop: Hop
    seen: list[Any]


def _server(seen: list[Any]) -> tuple[grpc.Server, int]:
    pool = descriptor_pool.DescriptorPool()
    for each in descriptor_pb2.FileDescriptorSet.FromString(descriptors()).file:
        pool.Add(each) if hasattr(pool, "Add") else pool.AddSerializedFile(each.SerializeToString())
    item = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Item"))

    def get(request: Any, context: grpc.ServicerContext) -> Any:
        seen.append(request)
        if request.id == 404:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such item")
        return item(id=request.id, title="a bicycle")

    def add(request: Any, context: grpc.ServicerContext) -> Any:
        seen.append(request)
        return item(id=7, title=request.title)

    rows = {
        name: grpc.unary_unary_rpc_method_handler(do, item.FromString, item.SerializeToString)
        for name, do in {"Get": get, "Add": add}.items()
    }
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", rows),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    title = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"title": {"type": "string", "maxLength": 9}},
    }
    body = {"required": True, "content": {"application/json": {"schema": title}}}
    own = {"policy": "none", "reason": "the test's"}
    paths = {
        "/items/{id}": {"get": operation(parameters=[ID], x_sidegate=own)},
        "/items": {"post": operation(requestBody=body, x_sidegate=own)},
        "/nothing": {"get": operation(x_sidegate=own)},
        "/shop/v1/items/{id}": {
            "get": operation(parameters=[ID], x_sidegate={**own, "rewrite": {"strip": "/shop/v1"}})
        },
        "/shop/{id}/of": {"get": operation(parameters=[ID], x_sidegate={**own, "rewrite": {"path": "/items/{id}"}})},
        "/shop/v1/kept/{id}": {
            "get": operation(
                parameters=[ID],
                x_sidegate={**own, "cache": {"ttl": "1h", "shared": True}, "rewrite": {"strip": "/shop/v1"}},
            )
        },
        "/kept/{id}": {"get": operation(parameters=[ID], x_sidegate={**own, "cache": {"ttl": "60s", "shared": True}})},
    }
    seen: list[Any] = []
    server, port = _server(seen)
    transcode = {"descriptor": "contracts/shop/shop.pb", "services": ["shop.Shop"]}
    upstream = {"url": f"http://127.0.0.1:{port}", "transcode": transcode}
    folder = tmp_path_factory.mktemp("transcoding")
    binary = folder / "svc" / "contracts" / "shop" / "shop.pb"
    binary.parent.mkdir(parents=True)
    binary.write_bytes(descriptors())
    files = {"contracts/shop/v1.yaml": yaml.safe_dump(contract(paths))}
    settings = {"services": {"shop": {"upstream": upstream}}}
    try:
        with serve(folder, contract({"/": {"get": operation()}}), settings=settings, files=files) as hop:
            yield Calls(hop, seen)
    finally:
        server.stop(0)


def test_json_becomes_a_call_and_its_answer_json(calls: Calls) -> None:
    answer = calls.hop.client.get("/items/3")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"id": 3, "title": "a bicycle"}
    assert calls.hop.client.post("/items", json={"title": "a bell"}).json() == {"id": 7, "title": "a bell"}
    assert calls.seen[-1].title == "a bell"


def test_the_contract_is_asked_first(calls: Calls) -> None:
    before = len(calls.seen)
    assert calls.hop.client.get("/items/x").status_code == 400
    assert calls.hop.client.post("/items", json={"title": "longer than nine"}).status_code == 400
    assert calls.hop.client.post("/items", json={"id": 1}).status_code == 400
    assert len(calls.seen) == before


def test_what_a_call_answered_is_kept_as_json(calls: Calls) -> None:
    assert calls.hop.client.get("/kept/3").json() == {"id": 3, "title": "a bicycle"}
    kept(calls.hop, "/kept/3")
    before = len(calls.seen)
    again = calls.hop.client.get("/kept/3")
    assert again.json() == {"id": 3, "title": "a bicycle"}
    assert "age" in again.headers
    assert len(calls.seen) == before
    assert calls.hop.client.get("/kept/404").status_code == 404


@pytest.mark.parametrize("path", ["/shop/v1/items/5", "/shop/5/of", "/shop/v1/kept/5"])
def test_a_call_is_found_by_the_path_that_the_service_has(calls: Calls, path: str) -> None:
    before = len(calls.seen)
    answer = calls.hop.client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"id": 5, "title": "a bicycle"})
    assert [request.id for request in calls.seen[before:]] == [5]


def test_what_is_kept_is_kept_by_the_path_that_was_asked_for(calls: Calls) -> None:
    assert kept(calls.hop, "/shop/v1/kept/6").json() == kept(calls.hop, "/kept/6").json()
    assert "age" not in calls.hop.client.get("/shop/v1/kept/8").headers
    assert "age" not in calls.hop.client.get("/kept/8").headers


def test_what_is_no_call_is_refused(calls: Calls) -> None:
    before = len(calls.seen)
    answer = calls.hop.client.get("/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert len(calls.seen) == before


def test_a_calls_error_has_the_status_of_http(calls: Calls) -> None:
    answer = calls.hop.client.get("/items/404")
    assert answer.status_code == 404
    assert answer.json()["message"] == "no such item"


@pytest.mark.parametrize(
    ("written", "pointer", "says"),
    [
        ("{descriptor: none.pb, services: [a.B]}", "/descriptor", "no readable file"),
        ("{descriptor: keys.json, services: [a.B]}", "/descriptor", "no descriptor set"),
        ("{descriptor: shop.pb, services: [shop.Shp]}", "/services/0", "did you mean 'shop.Shop'?"),
        ("{descriptor: shop.pb}", "", "services"),
        ("{descriptor: shop.pb, services: []}", "/services", "full names"),
    ],
)
def test_bad_settings_have_a_place(written: str, pointer: str, says: str, tmp_path: Path) -> None:
    text = pets()["sidegate.yaml"].replace(
        '"http://127.0.0.1:9"', f"{{url: 'http://127.0.0.1:9', transcode: {written}}}"
    )
    given = tree(pets(settings=text))
    given.files["shop.pb"] = descriptors()  # type: ignore[index]
    (found,) = [d for d in Compiler().compile(given).diagnostics if d.is_error and d.code != "upstream-missing"]
    assert found.span
    assert found.span.pointer == f"/services/pets/upstream/transcode{pointer}"
    assert says in f"{found.message} {found.help}"
