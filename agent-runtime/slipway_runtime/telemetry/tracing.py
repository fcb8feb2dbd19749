"""Traces over OTLP/HTTP, and one trace id for each request whether or not they are exported.

Spans are made by hand where they show something (request, run, retrieval, store), since automatic instrumentation
costs more than the rest of a request. Without `OTEL_EXPORTER_OTLP_ENDPOINT` the SDK is not even imported: spans are
empty shells that carry the trace id from `traceparent` into logs and on to the next process.

Span names and attributes never carry a question or an answer, and exceptions are recorded by their type alone.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attribute = str | int | float | bool
_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("slipway")


def configure_tracing(service: str) -> Callable[[], None]:
    """Export spans if the environment names an end point (the standard OTEL_* variables are heeded).

    Args:
        service: the process's `service.name`, unless OTEL_SERVICE_NAME says otherwise.

    Returns:
        What to call at the end, so that the last spans are sent.
    """
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return lambda: None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # The environment wins over what is passed here: Resource.create() merges it in last.
    os.environ.setdefault("OTEL_SERVICE_NAME", service)
    resource = Resource.create({})

    class HashedResource(Resource):
        """The SDK hashes the resource once for each span that it sends, by writing it as JSON."""

        _hash = hash(resource)

        def __hash__(self) -> int:
            return self._hash

    provider = TracerProvider(resource=HashedResource(resource.attributes, resource.schema_url))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def _new_trace() -> Context:
    """A fresh trace that nobody records, so that logs and the next process have an id all the same."""
    context = SpanContext(
        trace_id=random.getrandbits(128) or 1,
        span_id=random.getrandbits(64) or 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.DEFAULT),
    )
    return trace.set_span_in_context(NonRecordingSpan(context))


def _exporting() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def incoming(headers: Mapping[str, str]) -> Context:
    """The trace that a request belongs to, by its `traceparent`; a new one where it has none."""
    context = _PROPAGATOR.extract(headers)
    if _exporting() or trace.get_current_span(context).get_span_context().is_valid:
        return context
    return _new_trace()


def outgoing(headers: MutableMapping[str, str]) -> None:
    """Add `traceparent` for the current span, so that the next process joins the trace."""
    _PROPAGATOR.inject(headers)


@contextmanager
def span(
    name: str,
    *,
    parent: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, Attribute] | None = None,
) -> Iterator[Span]:
    """A span around the body, made current inside it.

    An exception marks the span as failed with the exception's type, and goes on.
    """
    # What `start_as_current_span` does, without its generator.
    current = _TRACER.start_span(name, context=parent, kind=kind, attributes=attributes)
    token = attach(trace.set_span_in_context(current))
    try:
        yield current
    except Exception as error:
        current.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        detach(token)
        current.end()


def current_ids() -> tuple[str, str]:
    """Trace id and span id, in hexadecimal, of what is going on; both empty outside a request."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return "", ""
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"
