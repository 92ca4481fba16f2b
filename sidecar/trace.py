"""A request's steps -> OpenTelemetry spans, in the trace that Envoy began."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer


class Step(Protocol):
    """One span while it is open: a context manager that takes attributes."""

    def __enter__(self) -> Step: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...
    def set(self, key: str, value: Any) -> None: ...


class Trace(Protocol):
    """The part of a trace that one request has in this process."""

    def step(self, name: str) -> Step: ...


class _Off:
    """Trace and Step of a process that traces nothing: every call returns at once."""

    __slots__ = ()

    def step(self, name: str) -> Step:
        return self

    def __enter__(self) -> Step:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None

    def set(self, key: str, value: Any) -> None:
        return None


OFF = _Off()


class _Step:
    __slots__ = ("span",)

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> Step:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None:
            from opentelemetry.trace import Status, StatusCode

            self.span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self.span.end()

    def set(self, key: str, value: Any) -> None:
        if value is not None:
            self.span.set_attribute(key, value)


class _Trace:
    __slots__ = ("context", "tracer")

    def __init__(self, tracer: Tracer, context: Any) -> None:
        self.tracer, self.context = tracer, context

    def step(self, name: str) -> Step:
        return _Step(self.tracer.start_span(name, context=self.context))


class Traces:
    """Starts the process's part of each trace. Exports by OTLP over HTTP to where the `OTEL_*` variables point.

    Spans are exported in batches by a thread of their own and dropped when the collector does not keep up, so a hung
    collector changes no latency.
    """

    def __init__(self, service: str, environ: Mapping[str, str] = os.environ) -> None:
        self._tracer = _tracer(service) if enabled(environ) else None

    def begin(self, traceparent: str | None) -> Trace:
        """The trace that a request's `traceparent` (W3C Trace Context) names, or one that records nothing."""
        if self._tracer is None:
            return OFF
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {"traceparent": traceparent} if traceparent else {}
        return _Trace(self._tracer, TraceContextTextMapPropagator().extract(carrier))

    def close(self) -> None:
        """Send what is left, waiting a second at most."""
        if self._tracer is not None:
            from opentelemetry import trace

            provider: Any = trace.get_tracer_provider()
            provider.force_flush(1000)


def enabled(environ: Mapping[str, str]) -> bool:
    """Whether `OTEL_*` asks for traces (OpenTelemetry, environment variable specification)."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return bool(environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id in a `traceparent` header: 32 hex digits, or None if there is none."""
    if traceparent is None or len(traceparent) < 55:
        return None
    found = traceparent[3:35]
    return found if found.strip("0123456789abcdef") == "" and found.strip("0") else None


def _tracer(service: str) -> Tracer:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=2), schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("sidegate")
