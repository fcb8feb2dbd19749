"""The local driver: makes manifests real in this process, and again when they change.

What is there goes on serving until its successor is ready: documents are ingested first, beside what agents read, then
agents and routes are exchanged. A run that is under way ends with the agent it began with.
"""

from collections.abc import Callable
from dataclasses import dataclass

from slipway_crds.runtimeconfig import IngestReport
from slipway_runtime.agents.factory import make_agent
from slipway_runtime.dev.manifests import Index, Key, Manifests
from slipway_runtime.dev.parts import Parts
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.knowledge.documents import joined, read_items
from slipway_runtime.knowledge.embedding import TextTooLong
from slipway_runtime.knowledge.ingestion import Ingestion, NothingToIngest
from slipway_runtime.knowledge.vectors import VectorsUnavailable
from slipway_runtime.store.database import StoreUnavailable

PATIENCE_SECONDS = 10.0
"""The stores are files here: what does not work soon will not work later either."""


@dataclass(frozen=True)
class Ingested:
    """What became of an index: a report, or why there is none."""

    key: Key
    report: IngestReport | None = None
    error: str = ""


Progress = Callable[[Key, int, int], None]
"""Gets an index, how many of its chunks are done, and of how many."""


class LocalDriver:
    """Applies manifests to the parts of this process.

    Args:
        host_url: where the host listens, for the gateway's routes.
    """

    def __init__(self, parts: Parts, *, host_url: str) -> None:
        self._parts = parts
        self._host_url = host_url
        self._ingested: dict[Key, Index] = {}

    async def apply(self, manifests: Manifests, *, progress: Progress) -> list[Ingested]:
        """Make these manifests what is served. Returns what became of every index that had to be looked at."""
        outcomes = [
            await self._ingest(index, progress)
            for index in manifests.indexes
            if self._ingested.get(index.key) != index and _is_complete(index)
        ]
        agents = manifests.config.agents
        dependencies = self._parts.dependencies
        self._parts.host.serve([HostedAgent(config, make_agent(config, dependencies)) for config in agents])
        keys = [AgentKey(config.namespace, config.name) for config in agents]
        self._parts.gateway.routes.replace({key: [self._host_url] for key in keys})
        self._parts.gateway.default_agent = keys[0] if len(keys) == 1 else None
        return outcomes

    async def _ingest(self, index: Index, progress: Progress) -> Ingested:
        contents = joined(read_items(source, items) for source, items in sorted(index.sources.items()))
        ingestion = Ingestion(
            index.config,
            database=self._parts.dependencies.database,
            vectors=self._parts.dependencies.vectors(str(index.key)),
            embedder=self._parts.embedder,
            progress=lambda done, total: progress(index.key, done, total),
            patience=PATIENCE_SECONDS,
        )
        try:
            report = await ingestion.run(contents)
        except (NothingToIngest, TextTooLong, VectorsUnavailable, StoreUnavailable) as error:
            return Ingested(index.key, error=str(error))
        self._ingested[index.key] = index
        return Ingested(index.key, report)


def _is_complete(index: Index) -> bool:
    """Whether all its sources are among the manifests; if not, a warning has said so, and the index stays as it is."""
    return len(index.sources) == len(index.config.sources)
