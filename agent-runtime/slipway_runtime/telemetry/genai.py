"""Spans of OpenTelemetry's conventions for generative AI, with all `gen_ai.*` names in one place.

The conventions are still in development, so the names may change with the package `opentelemetry-semantic-conventions`
of the lock. Texts (prompts, answers, documents, arguments and results of tools) are in spans of agents with
`telemetry.content` only: every such attribute is set by `content`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from slipway_runtime.telemetry.tracing import Attribute, span

CONTENT_BYTES = 32_768
"""A longer text is cut in a span."""
PROVIDERS: Mapping[str, str] = {"google": "gcp.gemini", "bedrock": "aws.bedrock"}
"""What the conventions call a provider, where it is not our word for it."""
_TRACER = trace.get_tracer("slipway")


def content(current: Span, name: str, value: Callable[[], Any], *, enabled: bool) -> None:
    """Set an attribute to a text, as JSON unless it is one, if the agent's texts may be in spans."""
    if enabled and current.is_recording():
        found = value()
        text = found if isinstance(found, str) else json.dumps(found, default=str, ensure_ascii=False)
        current.set_attribute(name, text.encode(errors="replace")[:CONTENT_BYTES].decode(errors="ignore"))


def start_model_request(*, agent: str, provider: str, model: str, role: str) -> Span:
    """The span of one request to one model. It is nobody's parent, and ends by `end_model_request`."""
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
        "gen_ai.agent.name": agent,
    }
    if role:
        attributes["slipway.role"] = role
    return _TRACER.start_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=attributes)


def end_model_request(
    current: Span,
    *,
    outcome: str,
    input_tokens: int,
    cached_tokens: int,
    output_tokens: int,
    response_model: str | None = None,
    finish_reason: str | None = None,
) -> None:
    """End the span with what the request used.

    Args:
        outcome: `answered`, or what the request is counted as otherwise: then the span has failed.
    """
    current.set_attribute("gen_ai.usage.input_tokens", input_tokens)
    current.set_attribute("gen_ai.usage.cache_read.input_tokens", cached_tokens)
    current.set_attribute("gen_ai.usage.output_tokens", output_tokens)
    if response_model:
        current.set_attribute("gen_ai.response.model", response_model)
    if finish_reason:
        current.set_attribute("gen_ai.response.finish_reasons", [finish_reason])
    if outcome != "answered":
        current.set_attribute("error.type", outcome)
        current.set_status(Status(StatusCode.ERROR, outcome))
    current.end()


@contextmanager
def retrieval(*, sources: Sequence[str], question: str, with_content: bool = False) -> Iterator[Span]:
    """A span around a search of indexes."""
    attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": ",".join(sources)}
    with span("retrieval", attributes=attributes) as current:
        content(current, "gen_ai.retrieval.query.text", lambda: question, enabled=with_content)
        yield current


@contextmanager
def tool(
    name: str, *, call_id: str, agent: str, arguments: Any = None, with_content: bool = False
) -> Iterator[Callable[[Any], None]]:
    """A span around a tool call. Yields what takes the tool's result."""
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.type": "function",
        "gen_ai.agent.name": agent,
    }
    with span(f"execute_tool {name}", attributes=attributes) as current:
        content(current, "gen_ai.tool.call.arguments", lambda: arguments, enabled=with_content)
        yield lambda result: content(current, "gen_ai.tool.call.result", lambda: result, enabled=with_content)


@contextmanager
def decision(*, agent: str) -> Iterator[Callable[[str, str], None]]:
    """A span around an orchestrator's decision. Yields what takes the chosen agent and the role.

    The conventions have no word for it yet.
    """
    with span("decision", attributes={"gen_ai.agent.name": agent}) as current:

        def decided(chosen: str, role: str) -> None:
            current.set_attribute("slipway.decision.agent", chosen)
            current.set_attribute("slipway.decision.role", role)

        yield decided
