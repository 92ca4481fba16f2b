"""What the processes do -> OpenTelemetry spans and counts, sent by OTLP to where the `OTEL_*` variables point."""

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
        url = endpoint("traces", environ)
        self._provider: Any = _provider(service, url) if url else None
        self._tracer: Tracer | None = self._provider.get_tracer("sidegate") if self._provider else None

    def begin(self, traceparent: str | None) -> Trace:
        """The trace that a request's `traceparent` (W3C Trace Context) names, or one that records nothing."""
        if self._tracer is None:
            return OFF
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {"traceparent": traceparent} if traceparent else {}
        return _Trace(self._tracer, TraceContextTextMapPropagator().extract(carrier))

    def root(self, name: str) -> Step:
        """A span that begins a trace of its own."""
        return OFF if self._tracer is None else _Step(self._tracer.start_span(name))

    def close(self) -> None:
        """Send what is left, waiting a second at most."""
        if self._provider is not None:
            self._provider.force_flush(1000)


def endpoint(signal: str, environ: Mapping[str, str]) -> str | None:
    """The OTLP/HTTP URL for a signal (`traces`, `metrics`), None if it is off.

    OpenTelemetry, "OTLP Exporter Configuration": the signal's own variable is a whole URL, the general one a base.
    """
    if (
        environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or environ.get(f"OTEL_{signal.upper()}_EXPORTER") == "none"
    ):
        return None
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return own or (f"{base.rstrip('/')}/v1/{signal}" if base else None)


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id in a `traceparent` header: 32 hex digits, or None if there is none."""
    if traceparent is None or len(traceparent) < 55:
        return None
    found = traceparent[3:35]
    return found if found.strip("0123456789abcdef") == "" and found.strip("0") else None


def _provider(service: str, url: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(endpoint=url, timeout=2)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    return provider


Counted = tuple[tuple[str, str], ...]


class Counts:
    """Counts by attributes, kept here and exported if metrics are on. Counting costs one dictionary step.

    Attributes must be of bounded number: names out of contracts and codes, never anything a client writes.
    """

    def __init__(self, service: str, name: str, environ: Mapping[str, str] = os.environ) -> None:
        self._by: dict[Counted, int] = {}
        if url := endpoint("metrics", environ):
            self._export(service, name, url)

    def add(self, *attributes: tuple[str, str]) -> None:
        self._by[attributes] = self._by.get(attributes, 0) + 1

    def rows(self) -> list[dict[str, Any]]:
        """Every combination of attributes that occurred, with its count."""
        return [{**dict(attributes), "count": count} for attributes, count in sorted(self._by.items())]

    def _export(self, service: str, name: str, url: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.metrics import CallbackOptions, Observation
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource

        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(count, dict(attributes)) for attributes, count in tuple(self._by.items())]

        reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=url, timeout=2), 5000, 2000)
        provider = MeterProvider([reader], Resource.create({"service.name": service}))
        provider.get_meter("sidegate").create_observable_counter(name, [observe])
