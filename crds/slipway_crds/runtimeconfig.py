"""RuntimeConfig: the one document that a host or an ingestion is started with.

It is the contract between operator and runtime. Both sides import these models; neither imports the other. It holds
only semantic inputs of the answer, never an address, a key or an image, so that its hash names a revision.
"""

import hashlib
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

CONNECTIONS_PER_HOST = 6
"""Connections to the store that a host or an ingestion holds at most. The operator counts with it."""


class ConfigModel(BaseModel):
    """Base of the configuration documents: immutable, and strict about what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical(self) -> bytes:
        """The document as JSON: the same bytes for the same meaning.

        Fields at their default are left out, so that a field added later, with a default that means what was done
        before, changes nothing: upgrading Slipway makes no new revision.
        """
        return orjson.dumps(self.model_dump(mode="json", exclude_defaults=True), option=orjson.OPT_SORT_KEYS)

    def digest(self) -> str:
        """First ten hexadecimal digits of the SHA-256 of the canonical JSON: the document's content address."""
        return hashlib.sha256(self.canonical()).hexdigest()[:10]


BackendKind = Literal["chroma"]
"""The kind of vector store that an index has."""


class KnowledgeConfig(ConfigModel):
    """One index that an agent reads."""

    name: str
    index: str
    """Name of the VectorIndex, in the agent's namespace."""
    top_k: int
    min_score: float
    backend: BackendKind = "chroma"


class AgentConfig(ConfigModel):
    """One agent, resolved."""

    namespace: str
    name: str
    architecture: Literal["langgraph"]
    knowledge: tuple[KnowledgeConfig, ...]
    session_ttl_seconds: int
    session_max_turns: int
    in_flight: int
    request_timeout_seconds: int


class RuntimeConfig(ConfigModel):
    """What a host serves: one agent in a cluster, all of them in the local driver."""

    version: Literal[1] = 1
    agents: tuple[AgentConfig, ...]


class SourceConfig(ConfigModel):
    """One source of documents, by the folder its ConfigMap is mounted at (`<sources>/<name>/<key>`)."""

    name: str


class IngestConfig(ConfigModel):
    """What one ingestion does."""

    version: Literal[1] = 1
    namespace: str
    index: str
    max_tokens: int
    overlap: int
    sources: tuple[SourceConfig, ...]
    backend: BackendKind = "chroma"


class IngestReport(ConfigModel):
    """What an ingestion reports to the operator: its termination message, at most 4 KiB of JSON."""

    revision: Annotated[str, Field(description="The build of the index that is active now.")]
    fingerprint: str
    documents: int
    chunks: int
    failed: int
    failures: tuple[str, ...] = ()
    """`source/key: reason`, as many as fit."""
