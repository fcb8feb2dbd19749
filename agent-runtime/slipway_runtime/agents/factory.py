"""Agents from their configuration. What they share within a process (model, store, connections) is made once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig, EmbeddingConfig
from slipway_runtime.agents.calling import AgentCalls
from slipway_runtime.agents.protocol import Agent
from slipway_runtime.knowledge.documents.document_store import DocumentStore
from slipway_runtime.knowledge.embedding.embedder import Embedder
from slipway_runtime.knowledge.embedding.opening import OpenEmbedder
from slipway_runtime.knowledge.retrieval.chunk_cache import ChunkCache
from slipway_runtime.knowledge.retrieval.reranking import OpenReranker
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.knowledge.vectors.contract import OpenVectors
from slipway_runtime.plugins.loading.places import PluginPlaces
from slipway_runtime.store.database import Database
from slipway_runtime.store.texts import OpenTexts


@dataclass(frozen=True)
class AgentDependencies:
    """What agents are made of."""

    database: Database
    embedder: Embedder
    vectors: OpenVectors
    bindings: Callable[[str], AgentBindings] = lambda _: AgentBindings()
    """What an agent (`namespace/name`) has besides its configuration. Asked for again at each use: it changes."""

    chunks: ChunkCache = field(default_factory=ChunkCache)
    """What all agents have read of their indexes."""

    calls: AgentCalls = field(default_factory=lambda: AgentCalls("http://127.0.0.1"))
    """The way to other agents."""
    embedders: OpenEmbedder | None = None
    """Gives the embedder of an index that has another one; None: none has."""
    rerankers: OpenReranker | None = None
    """Gives the reranker of an index that has one; None: none is asked."""
    texts: OpenTexts | None = None
    """Gives the place of the texts of an index that are not in the store; None: all are."""
    plugins: PluginPlaces = field(default_factory=PluginPlaces)
    """Where the code of plugins around agents is."""

    @property
    def documents(self) -> DocumentStore:
        """The documents of indexes."""
        return DocumentStore(self.database, self.texts)

    def embedder_of(self, index: str, config: EmbeddingConfig) -> Embedder:
        """The embedder of an index, by `namespace/name` and what its pointer names."""
        return self.embedder if self.embedders is None else self.embedders(index, config)

    def bindings_of(self, config: AgentConfig) -> Callable[[], AgentBindings]:
        """The bindings of one agent."""
        return lambda: self.bindings(f"{config.namespace}/{config.name}")


Factory = Callable[[AgentConfig, AgentDependencies], Agent]


def retriever_of(config: AgentConfig, dependencies: AgentDependencies) -> Retriever:
    """What searches the indexes of an agent's namespace."""
    return Retriever(
        config.namespace,
        database=dependencies.database,
        embedder=dependencies.embedder,
        vectors=dependencies.vectors,
        chunks=dependencies.chunks,
        embedders=dependencies.embedders,
        rerankers=dependencies.rerankers,
        texts=dependencies.texts,
    )


def _langgraph(config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    retriever = retriever_of(config, dependencies)
    if not config.models:
        from slipway_runtime.agents.extractive_agent import ExtractiveAgent

        return ExtractiveAgent(config, retriever=retriever, documents=dependencies.documents)
    from slipway_runtime.agents.langgraph_agent import LangGraphAgent
    from slipway_runtime.models import Models

    return LangGraphAgent(
        config,
        models=Models(config, dependencies.bindings_of(config)),
        retriever=retriever,
        embedder=dependencies.embedder,
        documents=dependencies.documents,
    )


def _pydantic_ai(config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    from slipway_runtime.agents.pydantic_ai_agent import PydanticAIAgent
    from slipway_runtime.agents.server_tools import ServerTools
    from slipway_runtime.models import Models

    return PydanticAIAgent(
        config,
        models=Models(config, dependencies.bindings_of(config)),
        retriever=retriever_of(config, dependencies),
        documents=dependencies.documents,
        tools=ServerTools(config, calls=dependencies.calls, bindings=dependencies.bindings_of(config)),
    )


def _hybrid(config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    from slipway_runtime.agents.hybrid_agent import HybridAgent
    from slipway_runtime.agents.server_tools import ServerTools
    from slipway_runtime.models import Models

    return HybridAgent(
        config,
        models=Models(config, dependencies.bindings_of(config)),
        retriever=retriever_of(config, dependencies),
        embedder=dependencies.embedder,
        documents=dependencies.documents,
        tools=ServerTools(config, calls=dependencies.calls, bindings=dependencies.bindings_of(config)),
    )


def _orchestrator(config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    from slipway_runtime.agents.choosing import Chooser
    from slipway_runtime.agents.orchestrator import OrchestratorAgent

    models = None
    if config.models:
        from slipway_runtime.models.agent_models import Models

        models = Models(config, dependencies.bindings_of(config))
    chooser = Chooser(config, embedder=dependencies.embedder, models=models)
    bindings = dependencies.bindings_of(config)
    return OrchestratorAgent(config, calls=dependencies.calls, chooser=chooser, bindings=bindings)


def _custom(config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    from slipway_runtime.agents.custom_agent import custom_agent

    return custom_agent(config, dependencies)


FACTORIES: Mapping[str, Factory] = {
    "langgraph": _langgraph,
    "pydantic-ai": _pydantic_ai,
    "hybrid": _hybrid,
    "orchestrator": _orchestrator,
    "custom": _custom,
}
"""How an agent of each architecture is made. A factory imports its framework itself, when it is first used."""


def make_agent(config: AgentConfig, dependencies: AgentDependencies) -> Agent:
    """The agent of the architecture that its configuration names."""
    return FACTORIES[config.architecture](config, dependencies)


def needs_embedder(config: AgentConfig) -> bool:
    """Whether the agent embeds texts: it searches documents, or compares questions with what its members are for."""
    return bool(config.knowledge) or config.architecture == "orchestrator"
