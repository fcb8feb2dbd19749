"""The local driver: makes manifests real in this process, and again when they change.

What is there goes on serving until its successor is ready: documents are ingested first, next to what agents read, then
agents and routes are exchanged. A run that is under way ends with the agent it began with. A new agent is there at
once, and says itself that its index is not ready.
"""

from collections.abc import Callable
from dataclasses import dataclass

from slipway_crds.runtimeconfig import IngestReport
from slipway_runtime.agents.factory import make_agent
from slipway_runtime.dev.manifests import Index, Manifests, NamespacedName
from slipway_runtime.dev.parts import Parts
from slipway_runtime.gateway.routes import AgentKey, Description
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.knowledge.embedding.embedder import TextTooLong
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion, IngestionProgress, NothingToIngest
from slipway_runtime.knowledge.ingestion.sources import ItemsSource
from slipway_runtime.knowledge.vectors.contract import VectorsUnavailable
from slipway_runtime.store.database import StoreUnavailable

PATIENCE_SECONDS = 10.0
"""The stores are files here: what does not work soon will not work later either."""


@dataclass(frozen=True)
class Ingested:
    """What became of an index: a report, or why there is none."""

    key: NamespacedName
    report: IngestReport | None = None
    error: str = ""


Report = Callable[[NamespacedName, IngestionProgress], None]
"""Gets an index, and how far its ingestion is."""


class LocalDriver:
    """Applies manifests to the parts of this process.

    Args:
        host_url: where the host listens, for the gateway's routes.
    """

    def __init__(self, parts: Parts, *, host_url: str) -> None:
        self._parts = parts
        self._host_url = host_url
        self._ingested: dict[NamespacedName, Index] = {}
        self._applied = False
        parts.gateway.routes_missing = self.missing

    def missing(self) -> str | None:
        """Why not everything is served yet, for `/readyz`; None from the end of the first `apply` on."""
        return None if self._applied else "the documents of the manifests are being ingested"

    async def apply(self, manifests: Manifests, *, progress: Report) -> list[Ingested]:
        """Make these manifests what is served. Returns what became of every index that had to be looked at."""
        served, gateway = self._parts.host.runs.agents, self._parts.gateway
        self._serve([*served.values(), *(agent for agent in self._agents(manifests) if agent.key not in served)])
        gateway.default_agent = gateway.default_agent or _only(manifests)
        outcomes = [
            await self._ingest(index, progress)
            for index in manifests.indexes
            if self._ingested.get(index.key) != index and _is_complete(index)
        ]
        self._applied = True
        self._serve(self._agents(manifests))
        gateway.default_agent = _only(manifests)
        return outcomes

    def _agents(self, manifests: Manifests) -> list[HostedAgent]:
        dependencies = self._parts.dependencies
        return [HostedAgent(config, make_agent(config, dependencies)) for config in manifests.config.agents]

    def _serve(self, agents: list[HostedAgent]) -> None:
        self._parts.host.serve(agents)
        routes = {AgentKey(agent.config.namespace, agent.config.name): [self._host_url] for agent in agents}
        self._parts.gateway.routes.replace(routes)
        for agent in agents:
            description = Description(
                agent.config.architecture, agent.revision, "Ready" if self._applied else "Pending"
            )
            self._parts.gateway.routes.describe(AgentKey(agent.config.namespace, agent.config.name), description)

    async def _ingest(self, index: Index, progress: Report) -> Ingested:
        sources = [ItemsSource(name, items) for name, items in sorted(index.sources.items())]
        ingestion = Ingestion(
            index.config,
            database=self._parts.dependencies.database,
            vectors=self._parts.dependencies.vectors(str(index.key), index.config.backend),
            embedder=self._parts.embedder,
            progress=lambda each: progress(index.key, each),
            patience=PATIENCE_SECONDS,
        )
        try:
            report = await ingestion.run(sources)
        except (NothingToIngest, TextTooLong, VectorsUnavailable, StoreUnavailable) as error:
            return Ingested(index.key, error=str(error))
        self._ingested[index.key] = index
        return Ingested(index.key, report)


def _only(manifests: Manifests) -> AgentKey | None:
    """The agent that is meant when none is named: the only one there is."""
    agents = manifests.config.agents
    return AgentKey(agents[0].namespace, agents[0].name) if len(agents) == 1 else None


def _is_complete(index: Index) -> bool:
    """Whether all its sources are among the manifests; if not, a warning has said so, and the index stays as it is."""
    return len(index.sources) == len(index.config.sources)
