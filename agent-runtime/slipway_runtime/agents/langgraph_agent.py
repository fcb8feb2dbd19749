"""The `langgraph` architecture with models: a graph that looks answers up, writes them, and checks what it wrote.

    route -> rewrite -> retrieve -> answer -> correct -> (end)
         \\--------------------------->/  \\--> abstain

`route` sees whether documents are needed and which role of model; `rewrite` makes a follow-up question stand by itself;
`retrieve` finds passages and leaves out those that are not about the question; `answer` checks each sentence against
the passages before anybody sees it; `correct` asks once more for those that nothing supports. Nodes do nothing that
could come out differently outside of steps, so a run that another host takes over comes to the same answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic_ai.messages import ModelMessage, ModelRequest, UserContent
from pydantic_ai.settings import ModelSettings

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.conversation import former_messages, system_message, tool_rule, user_content, user_prompt
from slipway_runtime.agents.grounding import NO_ANSWER, RULES, Grounding
from slipway_runtime.agents.memory import summarise
from slipway_runtime.agents.passages import GivenPassage, as_prompt, given, verified
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.agents.retrieving import retrieve
from slipway_runtime.agents.role_decision import tell_role
from slipway_runtime.agents.speaking import Spoken, ask_model, speak
from slipway_runtime.events import Delta, Done
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.knowledge.retrieval.extractive import ABSTENTION
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.models import Models
from slipway_runtime.models.roles import RoleChoice, choose_role
from slipway_runtime.problems import Problem
from slipway_runtime.run import AgentRequest, Emit, Run

REWRITE = """\
Rewrite the last question so that it can be understood without the conversation: replace what it refers to by its name.
Keep everything else, in its language. Reply with the question alone. If it already stands by itself, repeat it."""
CORRECT = """\
The passages do not say the following sentences of your answer:
{sentences}
Write in their place what the passages do say about it, with their numbers. If they say nothing more, reply with \
{no_answer}."""


class LangGraphState(TypedDict, total=False):
    """What the nodes hand on."""

    run: Run
    question: str
    """What is looked up: the question as it stands by itself."""
    passages: list[GivenPassage]
    spoken: list[Spoken]


class LangGraphAgent:
    """See `Agent`. Needs at least one model."""

    honours = frozenset(("data", "image", "history", "settings", "metadata", TURNS))

    def __init__(
        self, config: AgentConfig, *, models: Models, retriever: Retriever, embedder: Embedder, documents: DocumentStore
    ) -> None:
        self._config = config
        self._models = models
        self._retriever = retriever
        self._embedder = embedder
        self._documents = documents
        self._graph = self._build()

    async def run(self, run: Run) -> Done:
        """See `Agent`.

        Raises:
            Problem: ModelsUnavailable if no model answers; IndexNotReady if an index cannot be searched now.
        """
        await summarise(run, self._models)
        await tell_role(run, self._models, self._role(run.request))
        state = await self._graph.ainvoke({"run": run})
        spoken: Sequence[Spoken] = state.get("spoken", ())
        spoken = [each for each in spoken if each]
        text = "".join(each.text for each in spoken)
        if not text:
            return Done(answer=ABSTENTION, finish="abstained", sources=())
        sources = tuple(source for each in spoken for source in each.sources)
        grounded = bool(sources)
        return Done(answer=text, finish=spoken[0].finish, sources=sources, grounded=grounded, model=spoken[0].model)

    def _role(self, request: AgentRequest) -> RoleChoice:
        return choose_role(request.question, self._config, attachments=len(request.parts) > 1)

    async def missing(self) -> list[str]:
        """See `Agent`."""
        return await self._retriever.missing(self._config.knowledge)

    async def model_problems(self) -> list[str]:
        """See `UsesModels`."""
        return await self._models.problems()

    async def close(self) -> None:
        """See `UsesModels`."""
        await self._models.close()

    def _build(self) -> CompiledStateGraph[LangGraphState, None, LangGraphState, LangGraphState]:
        graph = StateGraph(LangGraphState)
        for name, node in {
            "rewrite": self._rewrite,
            "retrieve": self._retrieve,
            "answer": self._answer,
            "correct": self._correct,
            "abstain": self._abstain,
        }.items():
            graph.add_node(name, cast(Any, node))
        graph.add_conditional_edges(START, self._route)
        graph.add_edge("rewrite", "retrieve")
        graph.add_conditional_edges("retrieve", self._after_retrieve)
        graph.add_conditional_edges("answer", self._judge)
        graph.add_conditional_edges("correct", self._after_correct)
        graph.add_edge("abstain", END)
        return graph.compile()

    # Coroutines, because LangGraph calls plain functions in threads.

    async def _route(self, state: LangGraphState) -> Literal["rewrite", "retrieve", "answer"]:
        request = state["run"].request
        if not self._config.knowledge or request.task is not None:
            return "answer"
        return "rewrite" if former_messages(request) else "retrieve"

    async def _after_retrieve(self, state: LangGraphState) -> str:
        return "answer" if state["passages"] else "abstain"

    async def _after_correct(self, state: LangGraphState) -> str:
        return END if any(map(bool, state["spoken"])) else "abstain"

    async def _judge(self, state: LangGraphState) -> str:
        (spoken,) = state["spoken"]
        if spoken.unsupported:
            return "correct"
        return END if spoken else "abstain"

    async def _rewrite(self, state: LangGraphState) -> LangGraphState:
        run = state["run"]
        question = run.request.question
        messages = _messages(_joined(REWRITE, tool_rule(run.request)), former_messages(run.request), [question])

        async def rewrite(emit: Emit) -> str:
            return await ask_model(self._models.for_role("fast_routing"), messages, emit, step="rewrite")

        rewritten = (await run.step("rewrite", rewrite, repeat="paid", input=question)).strip()
        return {"question": rewritten or question}

    async def _retrieve(self, state: LangGraphState) -> LangGraphState:
        question = state.get("question") or state["run"].request.question

        async def look_up(emit: Emit) -> list[list[Any]]:
            found = await retrieve(self._retriever, question, self._config.knowledge, emit)
            return [each.to_json() for each in await verified(self._documents, given(found))]

        recorded = await state["run"].step("retrieve", look_up, input=question)
        return {"passages": [GivenPassage.from_json(each) for each in recorded]}

    async def _answer(self, state: LangGraphState) -> LangGraphState:
        return {"spoken": [await self._say(state, "answer", self._prompt(state))]}

    async def _correct(self, state: LangGraphState) -> LangGraphState:
        """Once more for the sentences that nothing supports; what stands, stands, also if no model answers now."""
        (spoken,) = state["spoken"]
        sentences = "\n".join(f"- {sentence}" for sentence in spoken.unsupported)
        again = CORRECT.format(sentences=sentences, no_answer=NO_ANSWER)
        try:
            corrected = await self._say(state, "correct", [*self._prompt(state), again], after=spoken)
        except Problem:
            if not spoken:
                raise
            return {"spoken": [spoken]}
        return {"spoken": [spoken, corrected]}

    async def _abstain(self, state: LangGraphState) -> LangGraphState:
        async def abstain(emit: Emit) -> None:
            emit(Delta(text=ABSTENTION))

        await state["run"].step("abstain", abstain)
        return {"spoken": []}

    def _prompt(self, state: LangGraphState) -> list[UserContent]:
        passages = state.get("passages", [])
        content = user_content(state["run"].request)
        return [as_prompt(passages), *content] if passages else content

    async def _say(
        self, state: LangGraphState, key: str, content: list[UserContent], *, after: Spoken | None = None
    ) -> Spoken:
        """One step in which a model writes, and what it writes is checked."""
        request, passages = state["run"].request, state.get("passages")
        instructions = _joined(self._config.instructions, RULES if passages else "", tool_rule(request))
        messages = _messages(instructions, former_messages(request), content)
        role = self._role(request).role
        settings = cast(ModelSettings, dict(request.settings)) if request.settings else None

        async def say(emit: Emit) -> Mapping[str, Any]:
            grounding = Grounding(passages, self._embedder) if passages else None
            if grounding is not None and after is not None:
                grounding.go_on_from(after.text, after.sources, after.numbers)
            spoken = await speak(self._models, role, messages, settings, emit, step=key, grounding=grounding)
            return spoken.to_json()

        return Spoken.from_json(await state["run"].step(key, say, repeat="paid"))


def _joined(*instructions: str) -> str:
    return "\n\n".join(part for part in instructions if part)


def _messages(instructions: str, former: Sequence[ModelMessage], content: Sequence[UserContent]) -> list[ModelMessage]:
    return [*system_message(instructions), *former, ModelRequest(parts=[user_prompt(content)])]
