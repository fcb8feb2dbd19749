"""RuntimeConfig: the one document that a host or an ingestion is started with.

It is the contract between operator and runtime. Both sides import these models; neither imports the other. It holds
only what answers depend on, never a key, a price or an image, so that its hash names a revision. What a host needs
besides is in `Bindings`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from slipway_crds.configmodel import ConfigModel as ConfigModel
from slipway_crds.kafka import KafkaTopic
from slipway_crds.sourceconfig import GitConfig as GitConfig
from slipway_crds.sourceconfig import SourceConfig as SourceConfig

CONNECTIONS_PER_HOST = 6
"""Connections to the store that a host or an ingestion holds at most. The operator counts with it."""


Architecture = Literal["langgraph", "pydantic-ai", "hybrid", "orchestrator", "custom"]
Provider = Literal["openai", "anthropic", "google", "bedrock", "openai-compatible"]
Role = Literal["fast_routing", "structured_output", "complex_reasoning"]
SearchProvider = Literal["searxng", "brave", "tavily"]
CAPABILITIES: Mapping[Architecture, tuple[str, ...]] = {
    "langgraph": ("complex_workflow", "state_management"),
    "pydantic-ai": ("structured_output", "type_validation"),
    "hybrid": ("workflow_with_validation", "migration_support"),
    "orchestrator": ("task_analysis", "agent_selection"),
    "custom": (),
}
"""What an agent of each architecture is good at, where it does not say so itself."""
BackendKind = Literal["chroma", "pgvector", "cockroachdb", "mongodb", "vertex", "snowflake"]
"""The kind of vector store that an index has."""


class VectorsConfig(ConfigModel):
    """Where the vectors of an index are. It is kept in the index's pointer, so that agents follow an index to another
    back end as they follow it to another build: it is no part of an agent's configuration."""

    kind: BackendKind = "chroma"
    connection: str | None = None
    """Name of the file with the address and the credentials, below the folder of connections
    (`contract.connection_file`); None: what Slipway runs itself, which is an index's own Chroma or, for pgvector, the
    store."""


class DocumentsConfig(ConfigModel):
    """Where the texts of an index's documents are. Each document's row has it."""

    kind: Literal["store", "postgres", "mongodb"] = "store"
    """`store`: with everything else that the namespace's store has."""
    connection: str | None = None
    """Name of the file with the address and the credentials, below the folder of connections
    (`contract.connection_file`); None in the store."""


class EmbeddingConfig(ConfigModel):
    """What makes vectors of an index's texts and of the questions asked of it. Kept in the index's pointer, as
    `VectorsConfig` is."""

    provider: Literal["minilm", "onnx", "openai", "openai-compatible", "vertex"] = "minilm"
    model: str = "all-MiniLM-L6-v2"
    """The service's name of it; of a model in files, its folder below `contract.SENTENCE_MODELS_DIR`."""
    dimensions: int = 384
    """0: those of the model in files."""
    max_tokens: int = 256
    """What the model reads, with the tokens that it adds itself."""
    graph_digest: str | None = None
    """`sha256:` and the digest of a graph in files."""
    precision: Literal["fp32", "int8"] = "fp32"
    """Which graph in files is meant."""
    pooling: Literal["mean", "cls", "none"] = "mean"
    query_prefix: str = ""
    text_prefix: str = ""
    base_url: str | None = None
    """None: the provider's own address."""
    project: str | None = None
    location: str | None = None
    """Of Vertex AI."""
    batch: int = 64
    """Texts in one request at most."""
    shortened: bool = False
    """Whether the service is asked for so many dimensions, as models can that give more by themselves."""
    timeout_seconds: int = 30
    key: str | None = None
    """Name of the file with the key, below the folder of connections; None: there is none."""


SearchMode = Literal["dense", "lexical", "hybrid"]
Fusion = Literal["weighted", "rrf"]


class RerankerConfig(ConfigModel):
    """What puts the passages that a search finds into another order."""

    base_url: str
    model: str | None = None
    """None: the server has one alone, and speaks like TEI."""
    timeout_seconds: int = 2
    key: str | None = None
    """Name of the file with the key, below the folder of connections; None: there is none."""


class SearchConfig(ConfigModel):
    """How an index is searched. It is kept in the index's pointer, as `VectorsConfig` is."""

    mode: SearchMode = "hybrid"
    fusion: Fusion = "weighted"
    lexical_weight: float = 0.2
    """Share of the words in a score of `hybrid`."""
    neighbours: int = 0
    """Chunks before and after one that is found, which models are given with it."""
    restricted: bool = False
    """Whether a document is only for the groups that it, or its source, names."""
    reranker: RerankerConfig | None = None


class KnowledgeConfig(ConfigModel):
    """One index that an agent reads."""

    name: str
    index: str
    """Name of the VectorIndex, in the agent's namespace."""
    top_k: int
    min_score: float


class ModelSettings(ConfigModel):
    """How a model writes; None leaves it to the provider."""

    temperature: float | None = None
    max_tokens: int | None = None
    """Tokens of one response."""
    top_p: float | None = None


class ModelConfig(ConfigModel):
    """One model that an agent calls. Keys, certificates and prices are in `ModelBinding`."""

    name: str
    """Of the entry in `spec.models`. The order of entries is the order of fallback."""
    provider: Provider
    model: str
    """The provider's name of it."""
    base_url: str | None = None
    """None: the provider's own address."""
    timeout_seconds: int = 30
    """Without a byte from the provider."""
    context_tokens: int | None = None
    """Tokens that a request and its response may have together; None: as a table says, or unbounded."""
    images: bool = False
    """Whether the model takes images."""
    settings: ModelSettings = ModelSettings()
    roles: tuple[Role, ...] = ()
    """What it is chosen for; empty: for everything."""

    @property
    def label(self) -> str:
        """What the model is called in events, answers and metrics."""
        return f"{self.provider}:{self.model}"


class ToolConfig(ConfigModel):
    """Another agent that an agent's models may ask."""

    name: str
    """Of the tool."""
    agent: str = ""
    """Name of the Agent, in the namespace of the one that asks; empty for one that is elsewhere."""
    url: str | None = None
    """Below which the card of an agent elsewhere is."""
    description: str
    required: bool = False
    """Whether the answer fails if the agent gave none."""


class RemoteMember(ConfigModel):
    """An agent elsewhere that an orchestrator may choose."""

    name: str
    url: str
    """Below which its card is."""


class PluginConfig(ConfigModel):
    """A plugin whose tools an agent's models may call."""

    name: str
    """Of the entry in `spec.tools`; begins the names of the tools."""
    plugin: str
    """Name of the Plugin, in the agent's namespace."""
    required: bool = False
    """Whether the answer fails if a call of a tool gave nothing."""


class MiddlewareConfig(ConfigModel):
    """A plugin whose code acts around an agent's answers."""

    name: str
    """Of the entry in `spec.plugins`."""
    plugin: str
    """Name of the Plugin, in the agent's namespace."""
    required: bool = False
    """Whether the answer fails if the plugin does."""
    spec: Mapping[str, Any]
    """Of the Plugin, without who may use it: another code is another revision."""


class WebSearchConfig(ConfigModel):
    """What an agent's models may search the web with. The key is in `AgentBindings`."""

    provider: SearchProvider
    base_url: str | None = None
    """None: the provider's own address."""
    required: bool = False
    """Whether the answer fails if there was no result because the service failed."""


class ApprovalConfig(ConfigModel):
    """A tool whose calls wait for a person."""

    tool: str
    groups: tuple[str, ...] = ()
    """Of which one has to be among a person's; empty: the caller decides."""
    seconds: int = 86_400
    """After which a call counts as denied."""


class CustomConfig(ConfigModel):
    """A program or code of the user's that is the agent."""

    entry_point: str | None = None
    """`package.module:factory`; None for a program."""
    image: str | None = None
    """Of the program, or of the host; None: the runtime's own. Answers depend on it as they do on a model."""
    port: int | None = None
    """Where the program speaks A2A on localhost; None for code that the host imports."""


class AgentConfig(ConfigModel):
    """One agent, resolved."""

    namespace: str
    name: str
    architecture: Architecture
    knowledge: tuple[KnowledgeConfig, ...]
    """Empty where the architecture answers without."""
    session_ttl_seconds: int
    session_max_turns: int
    in_flight: int
    request_timeout_seconds: int
    session_redis: str | None = None
    """URL of the Redis that has the sessions; None: the store has them."""
    models: tuple[ModelConfig, ...] = ()
    """In fallback order; empty: answers are made of the documents' own sentences."""
    instructions: str = ""
    output_schema: str | None = None
    """JSON Schema that answers fit, as canonical JSON text; None: answers are text."""
    max_steps: int = 20
    """Model requests of one answer."""
    max_tokens: int | None = None
    """Tokens of one answer, requests and responses together; None: unbounded."""
    tools: tuple[ToolConfig, ...] = ()
    """Sorted by name."""
    plugins: tuple[PluginConfig, ...] = ()
    """Sorted by name."""
    middleware: tuple[MiddlewareConfig, ...] = ()
    """In the order in which they see a question; they see the answer in the opposite one."""
    remote_members: tuple[RemoteMember, ...] = ()
    """Sorted by name. Members that are Agents are no part of a configuration."""
    web_search: WebSearchConfig | None = None
    """None: models have no such tool."""
    approvals: tuple[ApprovalConfig, ...] = ()
    """Sorted by tool."""
    custom: CustomConfig | None = None
    """For architecture `custom`."""


class RuntimeConfig(ConfigModel):
    """What a host serves: one agent in a cluster, all of them in the local driver."""

    version: Literal[1] = 1
    agents: tuple[AgentConfig, ...]


class Price(ConfigModel):
    """US dollars per million tokens, as decimals."""

    input: str
    output: str
    cached_input: str | None = None
    """Of input that the provider had cached; None: as `input`."""


class ModelBinding(ConfigModel):
    """What a model needs that changes no answer."""

    api_key_file: str | None = None
    """Path of a file that holds the key alone, read again when it changes. It may be missing."""
    ca_file: str | None = None
    """Path of the PEM certificates that the model's server is checked with; None: the ordinary ones."""
    price: Price | None = None
    """None: as a table says."""


class RedisBinding(ConfigModel):
    """What the Redis with an agent's sessions is reached with."""

    password_file: str | None = None
    """Path of a file that holds the password alone, read again for each connection. It may be missing."""
    ca_file: str | None = None
    """Path of the PEM certificates that the server is checked with; None: the ordinary ones."""


class HeaderBinding(ConfigModel):
    """A header that an agent elsewhere is asked with."""

    name: str
    file: str
    """Path of a file that holds the value alone, read again when it changes. It may be missing."""
    bearer: bool = False
    """Whether the value is a token, and `Bearer` goes before it."""


class AnswersBinding(ConfigModel):
    """The topic that an agent's answers are written to."""

    topic: KafkaTopic
    folder: str
    """Of the password in `contract.MODEL_KEY_FILE` and the brokers' authorities in `ca.crt`. They may be missing."""


class AgentBindings(ConfigModel):
    """What an agent is started with besides its configuration."""

    models: Mapping[str, ModelBinding] = {}
    """By the name of the entry in `spec.models`."""
    web_search_key_file: str | None = None
    """Path of a file that holds the key alone, read again when it changes. It may be missing."""
    web_search_ca_file: str | None = None
    """Path of the PEM certificates that the service is checked with; None: the ordinary ones. It may be missing."""
    description: str = ""
    capabilities: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    """Names of the agents that it may ask, in its namespace. The gateway decides; it knows them of the Agent itself."""
    remote_members: Mapping[str, tuple[HeaderBinding, ...]] = {}
    """By the name of a member that is elsewhere, where it is asked with headers."""
    remote_tools: Mapping[str, tuple[HeaderBinding, ...]] = {}
    """By the name of a tool likewise."""
    session_redis: RedisBinding = RedisBinding()
    telemetry_content: bool = False
    """Whether spans may hold questions, answers and documents."""
    answers: AnswersBinding | None = None


class Bindings(ConfigModel):
    """The second document of a host. It is no part of a revision, and hosts read it again when it changes."""

    version: Literal[1] = 1
    agents: Mapping[str, AgentBindings]
    """By `namespace/name`."""


class UploadsConfig(ConfigModel):
    """Who may upload documents to an index."""

    groups: tuple[str, ...] | None = None
    """None: every caller."""


class AcceptanceConfig(ConfigModel):
    """What a build has to reach before agents read it."""

    min_recall: float = 0.95
    """Share of the ten nearest vectors that searches of the back end find; 0: it is not measured."""
    min_hit_rate: float = 0.9
    """Share of the cases' questions for which a search finds one of their documents."""
    cases: str | None = None
    """`CONFIGMAP/KEY` of the cases; None: there are none."""


class IngestConfig(ConfigModel):
    """What one ingestion does."""

    version: Literal[1] = 1
    namespace: str
    index: str
    max_tokens: int
    overlap: int
    sources: tuple[SourceConfig, ...]
    networks: tuple[str, ...] = ()
    """Private networks that servers of sources may be in."""
    services: bool = False
    """Whether they may be in the cluster."""
    vectors: VectorsConfig = VectorsConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    documents: DocumentsConfig = DocumentsConfig()
    uploads: UploadsConfig | None = None
    """None: nobody may upload."""
    search: SearchConfig = SearchConfig()
    purge: bool = False
    """Whether it deletes the index's vectors, of all builds, and texts that are kept elsewhere, and makes none."""
    acceptance: AcceptanceConfig = AcceptanceConfig()
    keep_seconds: int = 86400
    """For which the build that was served before is kept."""
    serve: str = ""
    """The build to serve in place of the one that is described here: `previous`, or the name of one that is kept."""


class AcceptanceReport(ConfigModel):
    """What was measured of a build before agents read it."""

    recall: float | None = None
    """Share of the ten nearest vectors that searches of the back end found; None: not measured."""
    hit_rate: float | None = None
    """Share of the cases' questions for which a document of theirs was found; None: there were no cases."""


class KeptReport(ConfigModel):
    """The build that was served before."""

    revision: str
    until: float
    """For how long it is kept, in epoch seconds."""
    own_server: bool
    """Whether its vectors are on the index's own Chroma."""


class IngestReport(ConfigModel):
    """What an ingestion reports to the operator: its termination message, at most 4 KiB of JSON."""

    revision: Annotated[str, Field(description="The build of the index that is active now.")]
    fingerprint: str
    documents: int
    chunks: int
    failed: int
    failures: tuple[str, ...] = ()
    """`source/key: reason`, as many as fit."""
    unavailable: tuple[str, ...] = ()
    """`source: reason` of each source that could not be read. What the index has of it stays."""
    acceptance: AcceptanceReport | None = None
    """None: the build was served before."""
    refused: tuple[str, ...] = ()
    """Why agents do not read the build, which the rest of the report is about. They go on with the one before."""
    served: str = ""
    """What `serve` asked for, if that is the build."""
    own_server: bool = False
    """Whether the build's vectors are on the index's own Chroma."""
    previous: KeptReport | None = None
