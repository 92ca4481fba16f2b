"""A small API on real sockets that lists and watches as it is told to: also wrongly."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lightkube import KubeConfig
from lightkube.config.models import Cluster, User

DROP = "drop"


class ToldApi:
    """ConfigMaps of one API. `requests` are what was asked; `refuse` answers all with a status, `watch_refuse` watches."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[dict[str, str]] = []
        self.refuse: tuple[int, str] | None = None
        self.watch_refuse: tuple[int, str] | None = None
        self.list_version: int | None = None
        self.forbidden: set[str] = set()
        self._watches: list[tuple[str, queue.Queue[object]]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def config(self) -> Any:
        url = f"http://127.0.0.1:{self._server.server_port}"
        return KubeConfig.from_one(cluster=Cluster(server=url), user=User(token="t")).get()

    def stop(self) -> None:
        self.drop()
        self._server.shutdown()
        self._server.server_close()

    def put(self, namespace: str, name: str, *, tell: bool = True, **body: Any) -> None:
        """Create or change a ConfigMap, and tell those who watch."""
        with self._lock:
            self.version += 1
            known = (namespace, name) in self.objects
            metadata = {"namespace": namespace, "name": name, "creationTimestamp": "2026-11-23T03:00:00Z"}
            metadata |= {"resourceVersion": str(self.version), **body.pop("metadata", {})}
            self.objects[namespace, name] = {"metadata": metadata, **body}
            if tell:
                self._tell(namespace, "MODIFIED" if known else "ADDED", self.objects[namespace, name])

    def delete(self, namespace: str, name: str, *, tell: bool = True) -> None:
        with self._lock:
            self.version += 1
            gone = self.objects.pop((namespace, name))
            gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
            if tell:
                self._tell(namespace, "DELETED", gone)

    def tell(self, kind: str, object_: Mapping[str, Any], namespace: str = "*") -> None:
        """An event of any kind, to all who watch."""
        with self._lock:
            self._tell(namespace, kind, object_)

    def bookmark(self) -> int:
        """Tell all who watch how far the API has come."""
        with self._lock:
            self.version += 10
            self._tell("*", "BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})
            return self.version

    def drop(self, *, abruptly: bool = True) -> None:
        """End every watch: in the middle of a chunk, or as it should be."""
        with self._lock:
            for _, told in self._watches:
                told.put(DROP if abruptly else None)
            self._watches.clear()

    @property
    def watching(self) -> int:
        return len(self._watches)

    def asked(self, *, watch: bool) -> list[dict[str, str]]:
        """The lists, or the watches, that were asked for."""
        return [request for request in self.requests if ("watch" in request) is watch]

    def _tell(self, namespace: str, kind: str, object_: Mapping[str, Any]) -> None:
        line = json.dumps({"type": kind, "object": object_}).encode() + b"\n"
        for scope, told in self._watches:
            if "*" in (scope, namespace) or scope == namespace:
                told.put(line)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        parts = url.path.strip("/").split("/")
        scope = parts[3] if len(parts) == 5 else "*"
        params = {key: values[-1] for key, values in parse_qs(url.query).items()}
        self.requests.append({"scope": scope, **params})
        refused = self.refuse or (self.watch_refuse if "watch" in params else None)
        if scope in self.forbidden:
            refused = (403, f"configmaps is forbidden in the namespace {scope}")
        if refused:
            _send(handler, refused[0], {"kind": "Status", "code": refused[0], "message": refused[1]})
        elif "watch" in params:
            self._stream(handler, scope, int(params["resourceVersion"]))
        else:
            with self._lock:
                items = [o for (namespace, _), o in sorted(self.objects.items()) if scope in ("*", namespace)]
                version = self.list_version or self.version
            first = int(params.get("continue") or 0)
            last = first + int(params["limit"])
            metadata = {"resourceVersion": str(version), "continue": str(last) if last < len(items) else ""}
            _send(handler, 200, {"metadata": metadata, "items": items[first:last]})

    def _stream(self, handler: BaseHTTPRequestHandler, scope: str, since: int) -> None:
        told: queue.Queue[object] = queue.Queue()
        with self._lock:
            for (namespace, _), object_ in self.objects.items():
                if scope in ("*", namespace) and int(object_["metadata"]["resourceVersion"]) > since:
                    told.put(json.dumps({"type": "MODIFIED", "object": object_}).encode() + b"\n")
            self._watches.append((scope, told))
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        while (line := told.get()) is not None:
            if line == DROP:
                handler.wfile.write(b"fff\r\n{")
                break
            assert isinstance(line, bytes)
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            handler.wfile.flush()
        else:
            handler.wfile.write(b"0\r\n\r\n")
        handler.wfile.flush()
        handler.close_connection = True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with suppress(ConnectionError):
                    api._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _send(handler: BaseHTTPRequestHandler, status: int, body: Mapping[str, Any]) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
