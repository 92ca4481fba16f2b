"""gRPC's own xDS client (C++, in the grpcio wheel), which speaks state of the world and subscribes by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

from tests.ads import resources as r
from tests.ads.serving import Serving, serving
from xds.ads.events import Nacked
from xds.snapshot.types import CLUSTER, ENDPOINTS, LISTENER, ROUTES

ROUTER = r.any_of("envoy.extensions.filters.http.router.v3.Router")


@contextmanager
def backend(word: str) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(2))
    greet = grpc.unary_unary_rpc_method_handler(lambda request, _: word.encode() + b" " + request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("greeter", {"Greet": greet}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0)


@contextmanager
def client(server: Serving) -> Iterator[subprocess.Popen[str]]:
    servers = [{"server_uri": server.address, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}]
    config = json.dumps({"xds_servers": servers, "node": {"id": "grpc-1", "cluster": "edge"}})
    script = Path(__file__).with_name("grpc_client.py")
    running = subprocess.Popen(
        [sys.executable, str(script), "xds:///greeter"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRPC_XDS_BOOTSTRAP_CONFIG": config},
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def ask(running: subprocess.Popen[str], word: str) -> str:
    assert running.stdin
    assert running.stdout
    running.stdin.write(word + "\n")
    running.stdin.flush()
    return running.stdout.readline().strip()


def mesh(cluster: str, ports: dict[str, int], more: str = "") -> str:
    hcm = f"{{'@type': {r.HCM}, rds: {{route_config_name: greeter/routes, config_source: {{ads: {{}}}}}}, "
    hcm += f"http_filters: [{{name: router, typed_config: {json.dumps(ROUTER)}}}]}}"
    return f"""
lds: [{{name: greeter, api_listener: {{api_listener: {hcm}}}}}]
rds:
- name: greeter/routes
  virtual_hosts:
  - {{name: all, domains: ['*'], routes: [{{match: {{prefix: ''}}, route: {{cluster: {cluster}}}}}]}}
cds: [{", ".join(f"{{name: {n}, type: EDS, eds_cluster_config: {{eds_config: {{ads: {{}}}}}}{more}}}" for n in ports)}]
eds: [{", ".join(load(n, p) for n, p in ports.items())}]
"""


def load(name: str, port: int) -> str:
    endpoint = f"{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}}}"
    where = "locality: {region: here}, load_balancing_weight: 1"
    return f"{{cluster_name: {name}, endpoints: [{{{where}, lb_endpoints: [{endpoint}]}}]}}"


def test_a_channel_finds_its_server_follows_a_change_and_survives_a_refusal() -> None:
    with backend("one") as one, backend("two") as two, serving() as server, client(server) as channel:
        server.publish(r.snapshot(mesh("one", {"one": one})))
        assert ask(channel, "hello") == "one hello"
        assert server.live() == ()
        held = server.clients()[0]
        assert held.variant == "sotw"
        assert {url: h.wildcard for url, h in held.types.items()} == dict.fromkeys(
            (LISTENER, ROUTES, CLUSTER, ENDPOINTS), False
        )

        server.publish(r.snapshot(mesh("two", {"one": one, "two": two})))
        server.wait(lambda: ask(channel, "again") == "two again")
        assert server.live() == ()

        server.publish(
            r.snapshot(mesh("two", {"two": two}, ", lb_policy: MAGLEV, maglev_lb_config: {table_size: 99999999}"))
        )
        nack = server.wait(lambda: server.of(Nacked))[0]
        assert (nack.type_url, nack.names) == (CLUSTER, ("two",))
        assert ask(channel, "still") == "two still"

        server.publish(r.snapshot(mesh("one", {"one": one})))
        server.wait(lambda: ask(channel, "back") == "one back")
        assert server.live() == ()
        assert len(server.of(Nacked)) == 1
