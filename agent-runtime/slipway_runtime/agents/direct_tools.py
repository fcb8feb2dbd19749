"""What an agent does for a program that asks for no answer: it searches, reads a document, analyses a task, or plans a
workflow."""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.calling import MemberDescription
from slipway_runtime.agents.factory import AgentDependencies, retriever_of
from slipway_runtime.agents.passages import given, verified
from slipway_runtime.agents.retrieving import search
from slipway_runtime.agents.search_filters import Filters
from slipway_runtime.agents.workflow_plans import text_of
from slipway_runtime.knowledge.access import may_read
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import AgentRequest
from slipway_runtime.store.documents import Build
from slipway_runtime.store.pointers import read_pointer

CONTEXT_CHARACTERS = 32_768
"""Of what else matters for an analysis."""
MARKDOWN = (".md", ".markdown")


class DirectTools:
    """Of one agent. A tool that it has not is refused."""

    def __init__(self, config: AgentConfig, dependencies: AgentDependencies) -> None:
        self._config = config
        self._dependencies = dependencies
        self._retriever: Retriever = retriever_of(config, dependencies)

    async def search(self, query: str, filters: Filters) -> list[dict[str, Any]]:
        """The passages that are most about a query, best first.

        Raises:
            Problem: `NotFound` without knowledge, `InvalidRequest` for an unknown index or a filter that its back end
                has not, `IndexNotReady`.
        """
        if not self._config.knowledge:
            raise Problem(Reason.NOT_FOUND, "This agent has no documents: see spec.knowledge.")
        knowledge = filters.entries(self._config.knowledge)
        (found,) = await search(self._retriever, [query], knowledge, filters.condition())
        passages = await verified(self._dependencies.documents, given(found))
        return [
            {
                "index": each.knowledge,
                "source": each.source,
                "document": each.document,
                "heading": each.heading,
                "start": each.start,
                "end": each.start + len(each.text),
                "text": each.text,
                "score": each.score,
                **({"page": each.page} if each.page else {}),
            }
            for each in passages
        ]

    async def document(self, knowledge: str, source: str, name: str) -> dict[str, str]:
        """The text of a document that the agent answers from.

        Raises:
            Problem: `NotFound`.
        """
        entry = next((each for each in self._config.knowledge if each.name == knowledge), None)
        stored = f"{self._config.namespace}/{entry.index}" if entry else ""
        database = self._dependencies.database
        pointer = await read_pointer(database, stored) if entry else None
        build = Build(stored, pointer.revision if pointer is not None else "")
        found = await self._dependencies.documents.get_document(build, source, name) if pointer else None
        if found is None or (pointer is not None and pointer.search.restricted and not may_read(found.metadata)):
            raise Problem(Reason.NOT_FOUND, "This agent has no such document: search_documents gives the addresses.")
        kind = "text/markdown" if name.lower().endswith(MARKDOWN) else "text/plain"
        return {"text": found.text, "media_type": kind}

    async def web_search(self, query: str) -> list[dict[str, str]]:
        """Pages of the web.

        Raises:
            Problem: `NotFound` where the agent does not search the web, `RequiredToolFailed`.
        """
        from slipway_runtime.agents.web_search import web_searcher
        from slipway_runtime.agents.web_services import SearchFailed

        if self._config.web_search is None:
            raise Problem(Reason.NOT_FOUND, "This agent does not search the web: see spec.webSearch.")
        searcher = web_searcher(self._config.web_search, self._dependencies.bindings_of(self._config))
        try:
            return [{"title": each.title, "url": each.url, "text": each.text} for each in await searcher.search(query)]
        except SearchFailed as error:
            raise Problem(Reason.REQUIRED_TOOL_FAILED, f"The web was not searched: {error}.") from error
        finally:
            await searcher.close()

    async def analyze(
        self, question: str, context: str | Mapping[str, Any] | None, members: Sequence[MemberDescription]
    ) -> Mapping[str, Any]:
        """The `OrchestrationDecision` for a question: of an orchestrator over its members, of others on themselves."""
        from slipway_runtime.agents.choosing import Chooser
        from slipway_runtime.agents.remote_members import RemoteMembers

        models = None
        if self._config.architecture == "orchestrator" and self._config.models:
            from slipway_runtime.models.agent_models import Models

            models = Models(self._config, self._dependencies.bindings_of(self._config))
        chooser = Chooser(self._config, embedder=self._dependencies.embedder, models=models)
        asked = AgentRequest(question=f"{question}\n\n{text_of(context)[:CONTEXT_CHARACTERS]}" if context else question)
        remote = RemoteMembers(self._config, self._dependencies.bindings_of(self._config))
        try:
            known = [*members, *await remote.described()]
            decision, _ = await chooser.choose(asked, known or [self._itself()], lambda _: None)
        finally:
            await remote.close()
            await chooser.close()
        return decision.to_json()

    async def create_workflow(
        self, based_on: object, context: object, members: Sequence[MemberDescription]
    ) -> dict[str, Any]:
        """A manifest of a Workflow whose steps ask this agent and those of its namespace. Nobody applies it."""
        from slipway_runtime.agents.workflow_writer import agents_of, write_workflow

        agents, models = agents_of(self._itself(), members), None
        if self._config.models:
            from slipway_runtime.models.agent_models import Models

            models = Models(self._config, self._dependencies.bindings_of(self._config))
        try:
            return await write_workflow(models, based_on, context, agents, namespace=self._config.namespace)
        finally:
            if models is not None:
                await models.close()

    def _itself(self) -> MemberDescription:
        bindings = self._dependencies.bindings_of(self._config)()
        return MemberDescription(
            name=self._config.name,
            ready=True,
            architecture=self._config.architecture,
            description=bindings.description,
            capabilities=bindings.capabilities,
            knowledge=tuple(each.index for each in self._config.knowledge),
        )
