"""OTLP over HTTP -> spans and counts: a real collector, small enough to read."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.waiting import PATIENCE_S


@dataclass(frozen=True)
class Span:
    """One span; ids are lower-case hex, times nanoseconds since 1970, `service` the resource's service.name."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    service: str
    start: int
    end: int
    attributes: dict[str, Any]
    events: tuple[tuple[str, dict[str, Any]], ...]
    status: int


@dataclass(frozen=True)
class Point:
    """One value of a metric, as it was exported last."""

    name: str
    service: str
    attributes: dict[str, Any]
    value: float


@dataclass(frozen=True)
class Record:
    """One log record."""

    trace_id: str
    service: str
    body: Any
    attributes: dict[str, Any]


class Collector:
    """Listens on a free port of loopback. `stall` makes it hang, as a broken exporter's far end does.

    `broken` says why batches were refused: one text that is not UTF-8 is enough, and all spans of the batch are lost.
    """

    def __init__(self) -> None:
        self.all: list[Span] = []
        self.points: list[Point] = []
        self.records: list[Record] = []
        self.posts = 0
        self.broken: list[str] = []
        self.running = threading.Event()
        self.running.set()
        self._server = _Server(("127.0.0.1", 0), _Receiver)
        self._server.daemon_threads = True
        cast(Any, self._server).collector = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def spans(self, trace_id: str | None = None) -> list[Span]:
        """Spans received so far, of one trace or of all."""
        return [s for s in list(self.all) if trace_id in (None, s.trace_id)]

    def wait(
        self, trace_id: str, enough: Callable[[list[Span]], bool] = bool, timeout: float = PATIENCE_S
    ) -> list[Span]:
        """The trace's spans as soon as they are `enough`, or what there is after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not enough(spans := self.spans(trace_id)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return spans

    def stall(self, stalled: bool = True) -> None:
        """Accept and never answer, until called with False."""
        (self.running.clear if stalled else self.running.set)()

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.running.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Exporters are killed in many tests; nothing is printed when a connection breaks."""


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        collector = cast(Collector, cast(Any, self.server).collector)
        collector.running.wait()
        body = b"".join(self._body())
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        collector.posts += 1
        status = 200
        try:
            if self.path.endswith("/v1/traces"):
                collector.all.extend(_spans(ExportTraceServiceRequest.FromString(body)))
            if self.path.endswith("/v1/metrics"):
                collector.points = list(_points(ExportMetricsServiceRequest.FromString(body)))
            if self.path.endswith("/v1/logs"):
                collector.records.extend(_records(ExportLogsServiceRequest.FromString(body)))
        except DecodeError as error:
            collector.broken.append(str(error))
            status = 400
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def _body(self) -> Iterator[bytes]:
        """The body, by length or in chunks, as Envoy sends it."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("content-length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _spans(request: Any) -> list[Span]:
    return [
        _span(span, _attributes(group.resource.attributes).get("service.name", ""))
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _points(request: Any) -> Iterator[Point]:
    for group in request.resource_metrics:
        service = _attributes(group.resource.attributes).get("service.name", "")
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                for p in metric.sum.data_points:
                    yield Point(metric.name, service, _attributes(p.attributes), p.as_int or p.as_double)


def _records(request: Any) -> Iterator[Record]:
    for group in request.resource_logs:
        service = _attributes(group.resource.attributes).get("service.name", "")
        for scope in group.scope_logs:
            for r in scope.log_records:
                yield Record(r.trace_id.hex(), service, _value(r.body), _attributes(r.attributes))


def _span(s: Any, service: str) -> Span:
    events = tuple((e.name, _attributes(e.attributes)) for e in s.events)
    return Span(
        s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.name, s.kind, service,
        s.start_time_unix_nano, s.end_time_unix_nano, _attributes(s.attributes), events, s.status.code,
    )  # fmt: skip


def _attributes(pairs: Any) -> dict[str, Any]:
    return {p.key: _value(p.value) for p in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(v) for v in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
