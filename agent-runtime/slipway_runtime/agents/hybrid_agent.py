"""The `hybrid` architecture: a graph whose nodes are agents of pydantic-ai with typed output.

    analyse -> retrieve -> draft -> check -> answer
                             ^        |
                             +--------+ once, with what is wrong

`analyse` says what to look up, `draft` writes the answer, or output of a schema, and `check` has a second agent and the
passages themselves judge it. Nobody is shown anything before that. Nodes do nothing that could come out differently
outside of steps.
"""

from collections.abc import Sequence
from typing import Any, TypedDict, cast

import orjson
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic_ai import Agent
from pydantic_ai.agent import AgentRunResult
from pydantic_ai.exceptions import UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import UserContent
from pydantic_ai.usage import RunUsage, UsageLimits

from slipway_crds.runtimeconfig import AgentConfig, Role
from slipway_runtime.agents import agent_tools, tool_results
from slipway_runtime.agents.citing import Citing, marked
from slipway_runtime.agents.conversation import former_messages, system_message, tool_rule, user_content, user_prompt
from slipway_runtime.agents.grounding import NO_ANSWER, RULES, Grounding, Kept
from slipway_runtime.agents.hybrid_nodes import ANALYSE, CHECK, DECLINED, Analysis, Critique, Draft
from slipway_runtime.agents.marks import split
from slipway_runtime.agents.memory import summarise
from slipway_runtime.agents.model_agents import REPAIRS, honoured, limit_reached, unusable
from slipway_runtime.agents.output_schemas import checked, fault, output_of, schema_of
from slipway_runtime.agents.passages import GivenPassage, as_prompt, given, verified
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.agents.retrieving import retrieve
from slipway_runtime.agents.role_decision import tell_role
from slipway_runtime.agents.server_tools import ServerTools
from slipway_runtime.agents.settings import settings_of
from slipway_runtime.agents.speaking import emit_text
from slipway_runtime.events import Citation, Done
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.knowledge.retrieval.extractive import ABSTENTION
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.models import Models
from slipway_runtime.models.durable import DurableSteps, approvals, within
from slipway_runtime.models.roles import RoleChoice
from slipway_runtime.run import Emit, Run

DRAFTS = 2
DRAFTED = RoleChoice("complex_reasoning", "the draft is checked by other roles")
STRUCTURED = RoleChoice("structured_output", "an output schema is asked for")
AGENTS_KEPT = 64


class HybridState(TypedDict, total=False):
    """What the nodes hand on."""

    run: Run
    usage: RunUsage
    schema: str | None
    queries: list[str]
    passages: list[GivenPassage]
    answers: list[str]
    """What drafts were given by tools: answers of other agents, pages of the web."""
    drafts: int
    draft: Any
    """A text, or output of the schema."""
    model: str
    parts: list[Kept]
    """Of a text: what may be shown."""
    faults: list[str]


class HybridAgent:
    """See `Agent`. Needs at least one model."""

    def __init__(
        self,
        config: AgentConfig,
        *,
        models: Models,
        retriever: Retriever,
        embedder: Embedder,
        documents: DocumentStore,
        tools: ServerTools,
    ) -> None:
        self._config = config
        self._tools = tools
        self._models = models
        self._retriever = retriever
        self._embedder = embedder
        self._documents = documents
        self.honours = honoured(config) - {"client_tools", "tool_choice", "continuation"} | {TURNS}
        self._agents: dict[tuple[str, str | None, bool], Agent[None, Any]] = {}
        self._graph = self._build()

    async def run(self, run: Run) -> Done:
        """See `Agent`.

        Raises:
            Problem: ModelsUnavailable, LimitReached, InvalidOutput, InvalidRequest, IndexNotReady or
                RequiredToolFailed.
        """
        await summarise(run, self._models)
        schema = None if run.request.task else schema_of(run.request, self._config)
        await tell_role(run, self._models, STRUCTURED if schema else DRAFTED)
        usage = RunUsage()
        try:
            with within(run):
                state = await self._graph.ainvoke({"run": run, "usage": usage, "schema": schema, "drafts": 0})
        except UsageLimitExceeded as error:
            raise limit_reached(self._config, usage) from error
        except UnexpectedModelBehavior as error:
            raise unusable(error, structured=schema is not None) from error
        return await self._answer(cast(HybridState, state))

    async def missing(self) -> list[str]:
        """See `Agent`."""
        return await self._retriever.missing(self._config.knowledge)

    async def model_problems(self) -> list[str]:
        """See `UsesModels`."""
        return await self._models.problems()

    async def service_problems(self) -> list[str]:
        """See `UsesServices`."""
        return await self._tools.problems()

    async def close(self) -> None:
        """Close the connections to providers and services."""
        await self._models.close()
        await self._tools.close()

    # The graph

    def _build(self) -> CompiledStateGraph[HybridState, None, HybridState, HybridState]:
        graph = StateGraph(HybridState)
        nodes = {"analyse": self._analyse, "retrieve": self._retrieve, "draft": self._draft, "check": self._check}
        for name, node in nodes.items():
            graph.add_node(name, cast(Any, node))
        graph.add_conditional_edges(START, self._after_start)
        graph.add_edge("analyse", "retrieve")
        graph.add_conditional_edges("retrieve", self._after_retrieve)
        graph.add_conditional_edges("draft", self._after_draft)
        graph.add_conditional_edges("check", self._after_check)
        return graph.compile()

    # Coroutines, because LangGraph calls plain functions in threads.

    async def _after_start(self, state: HybridState) -> str:
        return "analyse" if self._looks_up(state) else "draft"

    async def _after_retrieve(self, state: HybridState) -> str:
        return END if self._found_nothing(state) else "draft"

    async def _after_draft(self, state: HybridState) -> str:
        return END if state["run"].request.task else "check"

    async def _after_check(self, state: HybridState) -> str:
        return "draft" if state["faults"] and state["drafts"] < DRAFTS else END

    def _looks_up(self, state: HybridState) -> bool:
        return bool(self._config.knowledge) and state["run"].request.task is None

    def _found_nothing(self, state: HybridState) -> bool:
        return bool(state["queries"]) and not state["passages"] and not self._asks(state)

    def _asks(self, state: HybridState) -> bool:
        """Whether drafts may ask other agents or the web."""
        return bool(self._tools) and state["run"].request.task is None

    async def _analyse(self, state: HybridState) -> HybridState:
        analysis = await self._ask("analyse", state, ANALYSE, [state["run"].request.question])
        return {"queries": analysis.output.queries}

    async def _retrieve(self, state: HybridState) -> HybridState:
        queries = state["queries"]

        async def look_up(emit: Emit) -> list[list[Any]]:
            passages: list[GivenPassage] = []
            for query in queries:
                found = await retrieve(self._retriever, query, self._config.knowledge, emit)
                places = {(each.index, each.source, each.document, each.start) for each in passages}
                new = [
                    each
                    for each in given(found, first=max((each.number for each in passages), default=0) + 1)
                    if (each.index, each.source, each.document, each.start) not in places
                ]
                passages += await verified(self._documents, new)
            return [each.to_json() for each in passages]

        recorded = await state["run"].step("retrieve", look_up, input=queries)
        return {"passages": [GivenPassage.from_json(each) for each in recorded]}

    async def _draft(self, state: HybridState) -> HybridState:
        passages = state.get("passages", [])
        rules = [RULES] if passages else []
        if self._asks(state):
            rules += [agent_tools.DRAFT_RULE, self._tools.rules(state["run"].request)]
        instructions = "\n\n".join(filter(None, [self._config.instructions, *rules]))
        answers = state.get("answers", [])
        content = [*_material(passages, answers), *user_content(state["run"].request)]
        if faults := state.get("faults"):
            before = _text(state["draft"])
            content.append(f"<draft>\n{before}\n</draft>\nWrite it again without these faults:\n{_listed(faults)}")
        result = await self._ask("draft", state, instructions, content)
        draft = result.output if state["schema"] else result.output.answer.strip()
        return {
            "draft": draft,
            "model": self._models.answered_by(result.response).label,
            "drafts": state["drafts"] + 1,
            "parts": [(_text(draft), ())],
            "answers": [*answers, *tool_results.said_in(result.new_messages())],
        }

    async def _check(self, state: HybridState) -> HybridState:
        """What a second agent and, for a text, the passages have against the draft."""
        faults: list[str] = []
        parts = state["parts"]
        if state.get("queries") and not state["schema"]:
            parts, faults = await self._grounded(state)
        content = _material(state.get("passages", []), state["answers"])
        content += [f"The user asks:\n{state['run'].request.question}", f"<draft>\n{_text(state['draft'])}\n</draft>"]
        verdict = await self._ask("check", state, f"{CHECK} {DECLINED}", content)
        return {"faults": [*faults, *verdict.output.faults], "parts": parts}

    async def _grounded(self, state: HybridState) -> tuple[list[Kept], list[str]]:
        """The sentences of a text that passages or answers of agents say, and a fault for each of the others."""
        text, passages, answers = state["draft"], state["passages"], state["answers"]

        async def ground(_: Emit) -> list[Any]:
            if text.strip(" \n.*`\"'") == NO_ANSWER:
                return [[], []]
            grounding = Grounding(passages, self._embedder, answers=answers)
            kept = [await grounding.add(sentence) for sentence in split(text, last=True)[0]]
            parts = [[said, [each.to_json() for each in cited]] for said, cited in filter(None, kept)]
            return [parts, [f"No passage says: {sentence}" for sentence in grounding.unsupported]]

        parts, faults = await state["run"].step(f"ground/{state['drafts']}", ground, input=text)
        return [(said, tuple(map(Citation.model_validate, cited))) for said, cited in parts], faults

    # Agents

    async def _ask(
        self, node: str, state: HybridState, instructions: str, content: Sequence[UserContent]
    ) -> AgentRunResult[Any]:
        """What a node's agent gives."""
        request, drafts = state["run"].request, node == "draft"
        agent = self._agent(node, state["schema"] if drafts else None, asks=drafts and self._asks(state))
        told = "\n\n".join(filter(None, [instructions, tool_rule(request, asks=self._asks(state))]))
        return await agent.run(
            user_prompt(content).content,
            message_history=[*system_message(told), *former_messages(request)],
            model_settings=settings_of(request) if drafts else None,
            usage=state["usage"],
            usage_limits=UsageLimits(request_limit=self._config.max_steps, total_tokens_limit=self._config.max_tokens),
        )

    def _agent(self, node: str, schema: str | None, *, asks: bool) -> Agent[None, Any]:
        key = node, schema, asks
        if key not in self._agents:
            if len(self._agents) >= AGENTS_KEPT:
                self._agents.clear()
            types: dict[str, Any] = {"analyse": Analysis, "draft": Draft, "check": Critique}
            roles: dict[str, Role] = {"analyse": "fast_routing", "draft": "complex_reasoning"}
            role: Role = "structured_output" if schema else roles.get(node, "structured_output")
            made: Agent[None, Any] = Agent(
                self._models.for_role(role),
                name=node,
                output_type=types[node] if schema is None else output_of(schema)[0],
                retries=REPAIRS,
                toolsets=self._tools.toolsets() if asks else [],
                capabilities=[DurableSteps(show=None), *([approvals(self._config.approvals)] if asks else [])],
            )
            if schema is not None:
                made.output_validator(checked(output_of(schema)[1]))
            self._agents[key] = made
        return self._agents[key]

    # The answer

    async def _answer(self, state: HybridState) -> Done:
        """Show what was checked."""
        run, schema = state["run"], state["schema"]
        if schema is not None and "draft" in state:
            return await self._structured(state, schema)
        parts = state.get("parts", [])
        text = "".join(said for said, _ in parts).strip()
        if not text or text == NO_ANSWER:
            await run.step("answer", lambda emit: _say([(ABSTENTION, ())], emit))
            return Done(answer=ABSTENTION, finish="abstained", sources=())
        await run.step("answer", lambda emit: _say(parts, emit))
        sources = tuple(each for _, cited in parts for each in cited)
        done = Done(answer="".join(said for said, _ in parts), finish="stop", sources=sources, model=state["model"])
        return done.model_copy(update={"grounded": bool(sources)}) if state.get("passages") else done

    async def _structured(self, state: HybridState, schema: str) -> Done:
        output, citing = state["draft"], Citing(tuple(state.get("passages", ())))
        resolved = marked(output, citing)
        if fault(output_of(schema)[1], resolved) is None:
            output = resolved
        text = _text(output)
        await state["run"].step("answer", lambda emit: _say([(text, ())], emit))
        done = Done(answer=text, finish="stop", output=output, sources=tuple(citing.sources), model=state["model"])
        grounded = bool(citing.sources) and not state["faults"]
        return done.model_copy(update={"grounded": grounded}) if state.get("passages") else done


async def _say(parts: Sequence[Kept], emit: Emit) -> None:
    for said, cited in parts:
        emit_text(said, cited, emit)


def _material(passages: Sequence[GivenPassage], answers: Sequence[str]) -> list[str]:
    """What a draft rests on, as parts of a prompt."""
    return [*([as_prompt(passages)] if passages else []), *(tool_results.as_data("tool", each) for each in answers)]


def _text(draft: Any) -> str:
    return draft if isinstance(draft, str) else orjson.dumps(draft).decode()


def _listed(faults: Sequence[str]) -> str:
    return "\n".join(f"- {each}" for each in faults)
