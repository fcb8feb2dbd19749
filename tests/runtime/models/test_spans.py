"""Spans of model requests, and texts in nothing that is reported unless the agent says so."""

import contextlib
import io
import logging
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, generate_latest
from pydantic_ai import Agent

from slipway_crds.runtimeconfig import AgentBindings
from slipway_runtime.models import Models
from slipway_runtime.telemetry import genai, tracing
from slipway_runtime.telemetry.logging import configure_logging
from tests.support.model_server import Asked, Call, Reply, model_server
from tests.support.models import Recorder, ask, entry, make_models

MARKERS = {name: f"xyzzy{name}" for name in ("question", "document", "prompt", "argument", "result", "answer")}


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What would be sent to a collector."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for module in (genai, tracing):
        monkeypatch.setattr(module, "_TRACER", provider.get_tracer("slipway"))
    return exporter


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """What a host would log. Pytest's logging is back afterwards."""
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with contextlib.redirect_stderr(written):
        configure_logging("host")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def attributes(spans: tuple[ReadableSpan, ...]) -> list[dict[str, object]]:
    return [dict(span.attributes or {}) for span in spans]


async def test_each_model_that_was_asked_has_a_span(exporter: InMemorySpanExporter) -> None:
    with model_server(Reply(fault="rate_limited")) as bad, model_server(Reply("Fine.", cached_tokens=4)) as good:
        models = make_models(entry(bad, "anthropic"), entry(good, "openai", name="second"))
        await ask(models, role="fast_routing")
    failed, answered = exporter.get_finished_spans()
    assert (failed.name, answered.name) == ("chat claude-sonnet-5", "chat gpt-5-mini")
    assert (failed.attributes or {})["error.type"] == "rate_limited"
    assert not failed.status.is_ok
    assert dict(answered.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.response.model": "gpt-5-mini",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.agent.name": "demo/thinker",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.output_tokens": 5,
        "slipway.role": "fast_routing",
    }


def script(asked: Asked) -> Reply:
    """A tool call, then an answer."""
    if "tool" in [message["role"] for message in asked.body["messages"]]:
        return Reply(f"It is {MARKERS['answer']}.")
    return Reply(calls=(Call("look", {"at": MARKERS["argument"]}),))


async def talk(models: Models) -> str:
    """A question with instructions and a tool, whose call is traced as well."""
    agent = Agent(models.for_role(None), instructions=f"Be kind. {MARKERS['prompt']}")

    @agent.tool_plain
    def look(at: str) -> str:
        on = models.for_role(None).links[0].content()
        with genai.tool("look", call_id="1", agent="demo/thinker", arguments={"at": at}, with_content=on) as took:
            took(MARKERS["result"])
        return f"{MARKERS['result']} {MARKERS['document']}"

    question = f"What is it? {MARKERS['question']}"
    return (await agent.run(question, event_stream_handler=Recorder().handle)).output


@pytest.mark.parametrize("fault", [None, "malformed", "error_frame", "unknown_model", "cut_clean"])
async def test_texts_are_in_no_report(exporter: InMemorySpanExporter, logs: io.StringIO, fault: str | None) -> None:
    with model_server(Reply(f"No, {MARKERS['answer']} it is", fault=fault)) as bad, model_server(script) as good:  # type: ignore[arg-type]
        first = [entry(bad)] if fault else []
        assert MARKERS["answer"] in await talk(make_models(*first, entry(good, name="second")))
    told = logs.getvalue()
    if fault:
        assert "openai-compatible:test-model failed" in told
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    assert len(spans) == (5 if fault else 3)
    for report in (told, generate_latest(REGISTRY).decode(), *spans):
        assert "xyzzy" not in report


async def test_texts_are_in_spans_of_an_agent_that_says_so(exporter: InMemorySpanExporter) -> None:
    with model_server(script) as server:
        await talk(make_models(entry(server), bindings=lambda: AgentBindings(telemetry_content=True)))
    told = str(attributes(exporter.get_finished_spans()))
    assert [name for name, marker in MARKERS.items() if marker not in told] == []


@pytest.mark.usefixtures("exporter")
def test_a_long_text_is_cut(exporter: InMemorySpanExporter) -> None:
    with genai.retrieval(sources=["handbook"], question="ä" * 40_000, with_content=True):
        pass
    (span,) = exporter.get_finished_spans()
    assert len(str((span.attributes or {})["gen_ai.retrieval.query.text"]).encode()) == genai.CONTENT_BYTES
    assert (span.attributes or {})["gen_ai.data_source.id"] == "handbook"


def test_a_decision_is_a_span(exporter: InMemorySpanExporter) -> None:
    with genai.decision(agent="demo/chief") as decided:
        decided("demo/support", "fast_routing")
    assert attributes(exporter.get_finished_spans()) == [
        {
            "gen_ai.agent.name": "demo/chief",
            "slipway.decision.agent": "demo/support",
            "slipway.decision.role": "fast_routing",
        }
    ]
