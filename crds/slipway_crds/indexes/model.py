"""The `VectorIndex` kind: which documents are made searchable, how they are cut, and where the vectors live."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field

from slipway_crds.egress import Egress
from slipway_crds.fields import (
    ATOMIC,
    BY_NAME,
    BY_TYPE,
    Bytes,
    Rule,
    SpecModel,
    StatusModel,
    SubdomainName,
    emulated,
    ignored,
    same,
)
from slipway_crds.indexes.documents import Documents
from slipway_crds.indexes.embedding import Embedding
from slipway_crds.indexes.revisions import AcceptanceSettings, RevisionSettings
from slipway_crds.indexes.search import SearchSettings
from slipway_crds.indexes.sources import IngestionSchedule, Source
from slipway_crds.indexes.uploads import Uploads
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, CustomObject, Phase
from slipway_crds.podsettings import NO_PODS, PodSettings
from slipway_crds.rules import OneOf, at_most_half, default_with, immutable, immutable_quantity, not_with, value_at
from slipway_crds.runtimeconfig import BackendKind
from slipway_crds.servers import FROM_SECRET, SecretKey

STORAGE = "1Gi"
OWN_TOKENS = 2
"""Which a model adds to a text."""
CASES = "acceptance.cases"
"""Stands for the questions of `acceptance` among the ConfigMaps of sources. No source is called that."""
OWN_VOLUME = "must not be given with connectionRef: that server has a volume of its own"


class Chroma(SpecModel):
    """A Chroma server: one that Slipway runs for this index alone, or another that it connects to."""

    rules = (
        default_with("storage", STORAGE, "connectionRef", OWN_VOLUME),
        not_with("storageClassName", "connectionRef", OWN_VOLUME),
        immutable_quantity(
            "storage", "the volume has its size. Make a VectorIndex of another name", unless="connectionRef"
        ),
        immutable(
            "storageClassName", "the volume has its class. Make a VectorIndex of another name", unless="connectionRef"
        ),
    )

    storage: Annotated[Bytes, ignored("The embedded Chroma takes what the disk has.")] = STORAGE
    """Size of the volume that holds the vectors; fixed once the index is created."""
    storage_class_name: Annotated[SubdomainName | None, ignored("There is no volume.")] = None
    """StorageClass of the volume, the cluster's default if unset; fixed once the index is created."""
    connection_ref: Annotated[SecretKey | None, FROM_SECRET] = None
    """Address of a Chroma server that Slipway does not run, and its token, in a Secret."""


class PgvectorBackend(SpecModel):
    """Postgres with pgvector 0.8 or later: the store itself, or another server that Slipway connects to."""

    connection_ref: Annotated[SecretKey | None, FROM_SECRET] = None
    """DSN of a Postgres in a Secret. The store's own if unset: the vectors are in the namespace's schema."""


class ExternalBackend(SpecModel):
    """A service that Slipway does not run, and connects to."""

    local = FROM_SECRET

    connection_ref: SecretKey
    """Address and credentials in a Secret, which only pods of the namespace read."""


class Backend(OneOf):
    """Where the vectors live: exactly one member."""

    chroma: Annotated[Chroma | None, emulated("Chroma runs embedded in the process.")] = None
    """A Chroma server."""
    pgvector: Annotated[
        PgvectorBackend | None, emulated("The real one with --store; without it, Chroma runs embedded in the process.")
    ] = None
    """Postgres with pgvector."""
    cockroachdb: Annotated[ExternalBackend | None, same("The same service is used.")] = None
    """CockroachDB 25.2 or later."""
    mongodb: Annotated[ExternalBackend | None, same("The same service is used.")] = None
    """MongoDB with vector search: Atlas, or 8.2 and later with mongot."""
    vertex: Annotated[ExternalBackend | None, same("The same service is used.")] = None
    """Vertex AI Vector Search 2.0."""
    snowflake: Annotated[ExternalBackend | None, same("The same service is used.")] = None
    """Snowflake Cortex Search, which embeds the texts itself."""

    @property
    def kind(self) -> BackendKind:
        """The kind of vector store that is chosen."""
        return cast(BackendKind, self.chosen)

    @property
    def connection(self) -> SecretKey | None:
        """What is connected to; None for what Slipway runs itself."""
        chosen: Chroma | PgvectorBackend | ExternalBackend = getattr(self, self.chosen)
        return chosen.connection_ref

    @property
    def server(self) -> Chroma | None:
        """The Chroma that Slipway runs for the index, if that is where its vectors live."""
        return self.chroma if self.connection is None else None

    @property
    def in_store(self) -> bool:
        """Whether the vectors are in the namespace's schema of the store."""
        return self.pgvector is not None and self.connection is None


class Chunking(SpecModel):
    """How documents are cut into the pieces that are embedded."""

    local = same("The same splitter runs.")
    rules = (at_most_half("overlap", "maxTokens"),)

    max_tokens: Annotated[int, Field(ge=32, le=254)] = 200
    """Tokens in a chunk at most, counted with the embedding model's tokenizer; the model reads 256, two of them its
    own."""
    overlap: Annotated[int, Field(ge=0, le=100)] = 20
    """Tokens that a chunk repeats of the one before it."""


class IngestionSettings(SpecModel):
    """How the ingestion Jobs are made."""

    pod: Annotated[PodSettings | None, NO_PODS] = None
    """How the pods of ingestion Jobs are made and where they may run. A change takes effect with the next Job."""
    shards: Annotated[int, Field(ge=1, le=100), ignored("One process takes all documents.")] = 1
    """How many pods share the documents of an ingestion. The pod that completes the last shard has agents read them. A
    change takes effect with the next Job."""
    parallelism: Annotated[int, Field(ge=1, le=32), ignored("One process takes all documents.")] = 4
    """How many of these pods run at a time at most."""


SOME_DOCUMENTS = Rule(
    cel="self.sources.size() > 0 || has(self.uploads)",
    message="must have an entry, unless uploads is given: say where documents come from",
    holds=lambda value: bool(value["sources"]) or value.get("uploads") is not None,
    field="sources",
)
MODEL_READS_CHUNKS = Rule(
    cel="!has(self.embedding) || !has(self.embedding.onnx)"
    f" || self.embedding.onnx.maxTokens >= self.chunking.maxTokens + {OWN_TOKENS}",
    message=f"must be at least {OWN_TOKENS} more than chunking.maxTokens, so that the model reads chunks to their end",
    holds=lambda value: (
        value_at(value, "embedding.onnx") is None
        or value_at(value, "embedding.onnx.maxTokens") >= value_at(value, "chunking.maxTokens") + OWN_TOKENS
    ),
    field="embedding.onnx.maxTokens",
)


class VectorIndexSpec(SpecModel):
    """What a platform engineer writes."""

    rules = (MODEL_READS_CHUNKS, SOME_DOCUMENTS)

    backend: Annotated[
        Backend,
        emulated("Chroma runs embedded in the process, and pgvector in the store of --store; the others are real."),
    ]
    """Where the vectors live."""
    embedding: Annotated[Embedding | None, same("The same service is called, or the same model runs.")] = None
    """What makes vectors of texts, if not MiniLM, which Slipway brings and which reads English."""
    chunking: Annotated[Chunking, same("The same splitter runs.")] = Chunking()
    """How documents are cut."""
    search: Annotated[SearchSettings, same("It is searched in the same way.")] = SearchSettings()
    """How agents search the index."""
    sources: Annotated[tuple[Source, ...], Field(max_length=32), BY_NAME, same("Read from the manifests.")] = ()
    """Where documents come from. It may be left out where `uploads` is given."""
    schedule: Annotated[IngestionSchedule | None, same("The same times count while `slipway dev` runs.")] = None
    """When the sources are read again, besides when they or the index change."""
    egress: Annotated[tuple[Egress, ...], Field(max_length=16), ATOMIC, ignored("Nothing is closed locally.")] = ()
    """Where the pods of ingestions may connect to besides Slipway's own and public addresses at the ports of the
    sources: private addresses, and servers in the cluster."""
    uploads: Annotated[Uploads | None, same("Documents are kept in the local store.")] = None
    """Documents that people upload besides; nobody may if not given, and those that were uploaded leave the index."""
    acceptance: Annotated[AcceptanceSettings, same("The same is measured.")] = AcceptanceSettings()
    """What a new revision has to reach before agents read it."""
    revisions: Annotated[RevisionSettings, same("The same ones are kept.")] = RevisionSettings()
    """What becomes of former revisions."""
    documents: Annotated[Documents, same("Texts are kept in the same way.")] = Documents()
    """What is kept of documents."""
    deletion_policy: Annotated[
        Literal["Retain", "Delete"], ignored("The local driver keeps its folder until it is deleted by hand.")
    ] = "Retain"
    """What becomes of the vectors and the stored documents when the index is deleted."""
    pod: Annotated[PodSettings | None, NO_PODS] = None
    """How the pod of the index's server is made and where it may run."""
    ingestion: Annotated[IngestionSettings, ignored("The process ingests by itself.")] = IngestionSettings()
    """How the ingestion Jobs are made."""

    @property
    def restricted(self) -> bool:
        """Whether a document is only for the groups that it, or its source, names."""
        return any(source.access is not None for source in self.sources)

    @property
    def config_maps(self) -> dict[str, str]:
        """The ConfigMap of each source that is one, by the source's name, and that of `CASES`."""
        cases = self.acceptance.cases
        return {
            **{source.name: source.config_map.name for source in self.sources if source.config_map is not None},
            **({CASES: cases.config_map_ref.name} if cases is not None else {}),
        }


class MeasuredRevision(StatusModel):
    """What was measured of the newest revision that was made."""

    revision: Annotated[str, Field(max_length=63)]
    """Name of the revision."""
    accepted: bool
    """Whether agents were to read it; the Synced condition says why not."""
    recall: Annotated[str | None, Field(max_length=8)] = None
    """Share of the ten nearest vectors that searches found."""
    hit_rate: Annotated[str | None, Field(max_length=8)] = None
    """Share of the questions of `acceptance.cases` that found a document of theirs."""


class KeptRevision(StatusModel):
    """The revision that agents read before."""

    revision: Annotated[str, Field(max_length=63)]
    """Name of the revision."""
    kept_until: datetime
    """When it is removed."""


class VectorIndexStatus(StatusModel):
    """What the operator reports. Never read back as a source of truth."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the first look."""
    phase: Phase | None = None
    """The conditions in one word, for tools that compare a string."""
    active_revision: Annotated[str | None, Field(max_length=63)] = None
    """The build of the index that agents read."""
    fingerprint: Annotated[str | None, Field(max_length=64)] = None
    """Identity of model and chunker; vectors of different fingerprints are never mixed."""
    documents: int | None = None
    """Documents in the index."""
    chunks: int | None = None
    """Chunks in the index."""
    failed: int | None = None
    """Documents that could not be ingested; the Synced condition names them."""
    acceptance: MeasuredRevision | None = None
    """What was measured before agents were to read a revision."""
    previous: KeptRevision | None = None
    """The revision that the annotation `slipway.dev/serve-revision: previous` has agents read again."""
    progress: Annotated[str | None, Field(max_length=128)] = None
    """How far a running ingestion is."""
    last_synced_time: datetime | None = None
    """When an ingestion that could read all sources last ended."""
    next_sync_time: datetime | None = None
    """When the schedule has them ingested next."""
    synced_sources: Annotated[str | None, Field(max_length=64)] = None
    """Hash of the sources' versions that were last ingested."""
    conditions: Annotated[list[Condition] | None, Field(max_length=16), BY_TYPE] = None
    """Ready always; Reconciling and Stalled only while True; Resolved, Available and Synced explain Ready."""


class VectorIndex(CustomObject):
    """Documents made searchable: read from their sources, cut into chunks, embedded, kept in a vector store."""

    kind: Literal["VectorIndex"] = "VectorIndex"
    spec: VectorIndexSpec
    """The desired index."""
    status: VectorIndexStatus = VectorIndexStatus()
    """What the operator reports."""

    PLURAL: ClassVar[str] = "vectorindexes"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("vidx",)
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        *READY_COLUMNS,
        {"name": "Documents", "type": "integer", "jsonPath": ".status.documents"},
        AGE_COLUMN,
    )
