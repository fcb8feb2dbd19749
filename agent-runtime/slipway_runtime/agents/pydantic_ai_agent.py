"""The `pydantic-ai` architecture: one model with instructions, tools and typed output.

The model decides what it looks up. Its text is streamed as it writes it; output that a schema is given for is checked,
and asked for again with the reason where it does not fit. Each request to a model and each tool call is a step.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from pydantic_ai import Agent, RunContext
from pydantic_ai.agent import AgentRunResult
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RunUsage, UsageLimits

from slipway_crds.runtimeconfig import AgentConfig, KnowledgeConfig, Role
from slipway_runtime.agents import search_tool
from slipway_runtime.agents.citing import Citing, marked
from slipway_runtime.agents.client_tools import ClientCalls, check_tools, client_toolset
from slipway_runtime.agents.conversation import (
    former_messages,
    later_messages,
    system_message,
    tool_rule,
    user_content,
    user_prompt,
)
from slipway_runtime.agents.memory import summarise
from slipway_runtime.agents.model_agents import REPAIRS, honoured, limit_reached, unusable
from slipway_runtime.agents.output_schemas import checked, fault, output_of, schema_of
from slipway_runtime.agents.passages import GivenPassage
from slipway_runtime.agents.role_decision import tell_role
from slipway_runtime.agents.server_tools import ServerTools
from slipway_runtime.agents.settings import settings_of
from slipway_runtime.agents.speaking import emit_text, finish_of
from slipway_runtime.events import Citation, Delta, Done
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.models import Models
from slipway_runtime.models.durable import Channel, DurableSteps, TextSink, approvals, within
from slipway_runtime.models.roles import choose_role
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import AgentRequest, Emit, Run

NAME = "answer"
AGENTS_KEPT = 64
"""Of pydantic-ai, by role and schema: questions may bring schemas of their own."""


@dataclass
class AttemptContext:
    """What one attempt at a run knows while it goes on."""

    request: AgentRequest
    may_abstain: bool
    forced: list[str] | str | None
    """The tools, one of which the first response has to call; `required` for any."""
    schema: str | None
    passages: list[GivenPassage] = field(default_factory=list)
    """What searches gave before the request that is made now."""

    def citing(self) -> Citing:
        """Takes a text of the model."""
        return Citing(tuple(self.passages), self.may_abstain)


_TURN: ContextVar[AttemptContext] = ContextVar("slipway_turn")


class PydanticAIAgent:
    """See `Agent`. Needs at least one model."""

    def __init__(
        self, config: AgentConfig, *, models: Models, retriever: Retriever, documents: DocumentStore, tools: ServerTools
    ) -> None:
        self.config = config
        self._tools = tools
        self.models = models
        self.retriever = retriever
        self.documents = documents
        self.knowledge: Sequence[KnowledgeConfig] = config.knowledge
        self.honours = honoured(config)
        self._agents: dict[tuple[Role, bool, bool, str | None], Agent[AttemptContext, Any]] = {}

    async def run(self, run: Run) -> Done:
        """See `Agent`.

        Raises:
            Problem: ModelsUnavailable if no model answers; LimitReached for `maxSteps` and `maxTokens`; InvalidOutput
                if what the model gives cannot be used; InvalidRequest for what it cannot be asked; RequiredToolFailed
                if a required tool gives nothing.
        """
        check_tools(run.request.client_tools, self._tools.names)
        await summarise(run, self.models)
        request = run.request
        schema = None if request.task else schema_of(request, self.config)
        searches = bool(self.config.knowledge) and not request.task
        turn = AttemptContext(request, searches and schema is None, _forced(request), schema)
        result = await self._answer(run, turn, searches=searches)
        if schema is not None:
            return await self._structured(run, turn, result, schema)
        turn.passages = search_tool.passages_in(result.new_messages())
        citing = turn.citing()
        text = citing.whole(_text_of(result.response))
        if citing.abstained:
            return Done(answer=text, finish="abstained", sources=())
        return self._done(result.response, text, tuple(citing.sources), searches=searches)

    async def missing(self) -> list[str]:
        """See `Agent`."""
        return await self.retriever.missing(self.config.knowledge)

    async def model_problems(self) -> list[str]:
        """See `UsesModels`."""
        return await self.models.problems()

    async def service_problems(self) -> list[str]:
        """See `UsesServices`."""
        return await self._tools.problems()

    async def close(self) -> None:
        """Close the connections to providers and services."""
        await self.models.close()
        await self._tools.close()

    async def _answer(self, run: Run, turn: AttemptContext, *, searches: bool) -> AgentRunResult[Any]:
        request = turn.request
        prompt = user_prompt(user_content(request))
        messages = [*system_message(self._instructions(request, searches=searches)), *former_messages(request)]
        if request.continuation:
            messages += [ModelRequest(parts=[prompt]), *later_messages(request)]
        images = any(part.kind == "image" for part in request.parts)
        choice = choose_role(
            request.question,
            self.config,
            output_schema=turn.schema is not None,
            attachments=images,
            tools=bool(request.client_tools),
        )
        await tell_role(run, self.models, choice)
        agent = self._agent(choice.role, turn.schema, searches=searches, asks=self._asks(request))
        usage = RunUsage()
        token = _TURN.set(turn)
        try:
            with within(run):
                return await agent.run(
                    None if request.continuation else prompt.content,
                    deps=turn,
                    message_history=messages,
                    model_settings=settings_of(request),
                    toolsets=[client_toolset(request.client_tools)] if request.client_tools else None,
                    capabilities=[ClientCalls(run).capability()] if request.client_tools else None,
                    usage=usage,
                    usage_limits=UsageLimits(
                        request_limit=self.config.max_steps, total_tokens_limit=self.config.max_tokens
                    ),
                )
        except UsageLimitExceeded as error:
            raise limit_reached(self.config, usage) from error
        except UnexpectedModelBehavior as error:
            raise unusable(error, structured=turn.schema is not None) from error
        finally:
            _TURN.reset(token)

    def _asks(self, request: AgentRequest) -> bool:
        """Whether the model may ask other agents or the web."""
        return bool(self._tools) and not request.task

    def _agent(self, role: Role, schema: str | None, *, searches: bool, asks: bool) -> Agent[AttemptContext, Any]:
        key = role, searches, asks, schema
        if key not in self._agents:
            if len(self._agents) >= AGENTS_KEPT:
                self._agents.clear()
            waits = search_tool.NAME in self._tools.approved
            toolsets: list[Any] = [
                *([search_tool.search_toolset(self, approved=waits)] if searches else []),
                *(self._tools.toolsets() if asks else []),
            ]
            made: Agent[AttemptContext, Any] = Agent(
                self.models.for_role(role),
                name=NAME,
                deps_type=AttemptContext,
                output_type=str if schema is None else output_of(schema)[0],
                retries=REPAIRS,
                toolsets=toolsets,
                capabilities=[
                    DurableSteps(show=CitingSink if schema is None else None),
                    *([approvals(self.config.approvals)] if toolsets else []),
                    EachRequest(),
                ],
            )
            if schema is not None:
                made.output_validator(checked(output_of(schema)[1]))
            self._agents[key] = made
        return self._agents[key]

    def _instructions(self, request: AgentRequest, *, searches: bool) -> str:
        asks = self._asks(request)
        parts = (
            self.config.instructions,
            search_tool.RULES if searches else "",
            self._tools.rules(request) if asks else "",
            tool_rule(request, asks=asks),
        )
        return "\n\n".join(filter(None, parts))

    async def _structured(self, run: Run, turn: AttemptContext, result: AgentRunResult[Any], schema: str) -> Done:
        """The answer whose text is the output as JSON, with marks as in a text where it still fits then."""
        output, citing = result.output, Citing(tuple(search_tool.passages_in(result.new_messages())))
        resolved = marked(output, citing)
        if fault(output_of(schema)[1], resolved) is None:
            output = resolved
        text = orjson.dumps(output).decode()

        async def say(emit: Emit) -> None:
            emit(Delta(text=text))

        await run.step(f"{NAME}/output", say)
        done = self._done(result.response, text, tuple(citing.sources), searches=bool(turn.passages))
        return done.model_copy(update={"output": output, "finish": "stop"})

    def _done(self, response: ModelResponse, text: str, sources: tuple[Citation, ...], *, searches: bool) -> Done:
        grounded = bool(sources) if searches else None
        model = self.models.answered_by(response).label
        done = Done(answer=text, finish=finish_of(response), sources=sources, model=model)
        return done if grounded is None else done.model_copy(update={"grounded": grounded})


class CitingSink(TextSink):
    """Streams the text with its marks resolved."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(emit)
        self._turn = _TURN.get()
        self._citing = self._turn.citing()

    async def text(self, piece: str, channel: Channel) -> None:
        """See `TextSink`."""
        if channel != "answer":
            await super().text(piece, channel)
            return
        for shown, sources in self._citing.feed(piece):
            emit_text(shown, sources, self.emit)

    def void(self) -> None:
        """See `TextSink`."""
        self._citing = self._turn.citing()

    async def end(self) -> None:
        """See `TextSink`."""
        for shown, sources in self._citing.end():
            emit_text(shown, sources, self.emit)


class EachRequest(AbstractCapability[AttemptContext]):
    """Before each request to a model: which passages it may cite, and which tools it has to call."""

    def get_model_settings(self) -> Any:
        """See `AbstractCapability`."""
        return self._settings

    def _settings(self, ctx: RunContext[AttemptContext]) -> ModelSettings:
        turn = ctx.deps
        turn.passages = search_tool.passages_in(ctx.messages)
        if turn.forced is None or ctx.run_step > 1:
            return ModelSettings()
        return ModelSettings(tool_choice=cast(Any, turn.forced))


def _forced(request: AgentRequest) -> list[str] | str | None:
    choice = request.tool_choice
    if choice is None or choice == "auto":
        return None
    names = [tool.name for tool in request.client_tools]
    if choice != "required" and choice not in names:
        raise Problem(
            Reason.INVALID_REQUEST, f"tool_choice names no tool of the client: {choice[:64]}. Name one of client_tools."
        )
    return choice if choice == "required" else [choice]


def _text_of(response: ModelResponse) -> str:
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))
