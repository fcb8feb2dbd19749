"""Agents' models over stand-ins for their providers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.settings import ModelSettings

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig, ModelBinding, ModelConfig
from slipway_runtime.events import ModelUsage
from slipway_runtime.models import Models, watching
from slipway_runtime.models.breaker import CircuitBreaker
from tests.support.model_server import ModelServer

MADE: list[Models] = []
"""Of the test that runs."""
NAMES: Mapping[str, str] = {"anthropic": "claude-sonnet-5", "google": "gemini-2.5-flash", "openai": "gpt-5-mini"}


def entry(
    server: ModelServer | str, provider: str = "openai-compatible", *, seconds: float = 5, **fields: Any
) -> ModelConfig:
    """An entry of `spec.models` that leads to a server.

    Args:
        seconds: the time-out, which a manifest has in whole seconds; tests take less.
    """
    if isinstance(server, ModelServer):
        server = server.base_url if provider.startswith("openai") else server.root
    model = fields.pop("model", NAMES.get(provider, "test-model"))
    fields = {"name": "first", "provider": provider, "model": model, "base_url": server, **fields}
    return ModelConfig(**fields).model_copy(update={"timeout_seconds": seconds})


def agent_config(*entries: ModelConfig, **fields: Any) -> AgentConfig:
    """An agent with these models."""
    return AgentConfig(
        namespace="demo",
        name="thinker",
        architecture="langgraph",
        knowledge=(),
        session_ttl_seconds=3600,
        session_max_turns=50,
        in_flight=8,
        request_timeout_seconds=60,
        models=entries,
        **fields,
    )


def make_models(
    *entries: ModelConfig,
    bindings: Mapping[str, ModelBinding] | Callable[[], AgentBindings] | None = None,
    breaker: Callable[[str, str, str], CircuitBreaker] = CircuitBreaker,
) -> Models:
    """The models of an agent, each with breakers of its own."""
    given = bindings if callable(bindings) else lambda: AgentBindings(models=dict(bindings or {}))
    models = Models(agent_config(*entries), given, breaker=breaker)
    MADE.append(models)
    return models


async def close_all() -> None:
    """Close the connections of all models that were made since the last call."""
    while MADE:
        await MADE.pop().close()


class Recorder:
    """A watcher that is shown what a client is shown."""

    def __init__(self) -> None:
        self.text = ""
        self.reasons: list[str] = []
        self.usages: list[ModelUsage] = []

    def discarded(self, reason: str) -> None:
        self.text = ""
        self.reasons.append(reason)

    def used(self, usage: ModelUsage) -> None:
        self.usages.append(usage)

    async def handle(self, _: Any, events: Any) -> None:
        """An event handler of pydantic-ai."""
        async for event in events:
            if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                self.text += event.part.content
            elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                self.text += event.delta.content_delta


async def ask(
    models: Models,
    question: Any = "Who?",
    *,
    streamed: bool = True,
    role: Any = None,
    history: Sequence[Any] = (),
    settings: ModelSettings | None = None,
) -> tuple[Any, Recorder]:
    """Ask through pydantic-ai's agent. Returns its result, and what a watcher saw."""
    recorder = Recorder()
    with watching(recorder):
        result = await Agent(models.for_role(role)).run(
            question,
            message_history=list(history),
            model_settings=settings,
            event_stream_handler=recorder.handle if streamed else None,
        )
    return result, recorder
