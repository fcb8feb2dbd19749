"""The `VectorIndex` kind: which documents are made searchable, how they are cut, and where the vectors live."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from slipway_crds.fields import Bytes, Local, Name, Rule, SpecModel, SubdomainName, local
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, Kind
from slipway_crds.podsettings import PodSettings
from slipway_crds.runtimeconfig import BackendKind


class Chroma(SpecModel):
    """A Chroma server that Slipway runs for this index alone."""

    storage: Annotated[
        Bytes,
        Field(
            description="Size of the volume that holds the vectors; fixed once the index is created.",
            json_schema_extra=local(Local.IGNORED, "The embedded Chroma takes what the disk has."),
        ),
    ] = "1Gi"
    storage_class_name: Annotated[
        SubdomainName | None,
        Field(
            alias="storageClassName",
            description="StorageClass of the volume, the cluster's default if unset; fixed once the index is created.",
            json_schema_extra=local(Local.IGNORED, "There is no volume."),
        ),
    ] = None
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="quantity(self.storage).compareTo(quantity(oldSelf.storage)) == 0",
            message="cannot be changed: the volume has its size. Make a VectorIndex of another name",
            holds=None,
            field="storage",
        ),
        Rule(
            cel="has(self.storageClassName) == has(oldSelf.storageClassName)"
            " && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            message="cannot be changed: the volume has its class. Make a VectorIndex of another name",
            holds=None,
            field="storageClassName",
        ),
    )


class Backend(SpecModel):
    """Where the vectors live: exactly one member."""

    chroma: Annotated[
        Chroma,
        Field(
            description="A Chroma server run by Slipway.",
            json_schema_extra=local(Local.EMULATED, "Chroma runs embedded in the process."),
        ),
    ]

    @property
    def kind(self) -> BackendKind:
        """The name of the member that is there."""
        return "chroma"


class Chunking(SpecModel):
    """How documents are cut into the pieces that are embedded."""

    max_tokens: Annotated[
        int,
        Field(
            alias="maxTokens",
            ge=32,
            le=254,
            description="Tokens in a chunk at most, counted with the embedding model's tokenizer; the model reads 256, "
            "two of them its own.",
            json_schema_extra=local(Local.SAME, "The same splitter runs."),
        ),
    ] = 200
    overlap: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="Tokens that a chunk repeats of the one before it.",
            json_schema_extra=local(Local.SAME, "The same splitter runs."),
        ),
    ] = 20
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.overlap * 2 <= self.maxTokens",
            message="must be at most half of maxTokens",
            holds=lambda s: s["overlap"] * 2 <= s["maxTokens"],
            field="overlap",
        ),
    )


class ConfigMapSource(SpecModel):
    """Documents in a ConfigMap: each key of `data` is one."""

    name: Annotated[
        SubdomainName,
        Field(
            description="Name of the ConfigMap, in the index's namespace.",
            json_schema_extra=local(Local.SAME, "Looked up among the manifests given to `slipway dev`."),
        ),
    ]


class Source(SpecModel):
    """One place that documents come from: exactly one member beside the name."""

    name: Annotated[
        Name,
        Field(
            description="Name of this source, unique within the list; citations carry it.",
            json_schema_extra=local(Local.SAME, "Citations carry it."),
        ),
    ]
    config_map: Annotated[
        ConfigMapSource,
        Field(
            alias="configMap",
            description="Text and Markdown documents in a ConfigMap.",
            json_schema_extra=local(Local.SAME, "Read from the manifest."),
        ),
    ]


class IngestionSettings(SpecModel):
    """How the ingestion Jobs are made."""

    pod: Annotated[
        PodSettings | None,
        Field(
            description="How the pods of ingestion Jobs are made and where they may run. A change takes effect with the"
            " next Job.",
            json_schema_extra=local(Local.IGNORED, "There are no pods."),
        ),
    ] = None


class VectorIndexSpec(SpecModel):
    """What a platform engineer writes."""

    backend: Annotated[
        Backend,
        Field(
            description="Where the vectors live.",
            json_schema_extra=local(Local.EMULATED, "Chroma runs embedded in the process."),
        ),
    ]
    chunking: Annotated[
        Chunking,
        Field(description="How documents are cut.", json_schema_extra=local(Local.SAME, "The same splitter runs.")),
    ] = Chunking()
    sources: Annotated[
        list[Source],
        Field(
            min_length=1,
            max_length=32,
            description="Where documents come from.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                **local(Local.SAME, "Read from the manifests."),
            },
        ),
    ]
    deletion_policy: Annotated[
        Literal["Retain", "Delete"],
        Field(
            alias="deletionPolicy",
            description="What becomes of the volume and the stored documents when the index is deleted.",
            json_schema_extra=local(Local.IGNORED, "The local driver keeps its folder until it is deleted by hand."),
        ),
    ] = "Retain"
    pod: Annotated[
        PodSettings | None,
        Field(
            description="How the pod of the index's server is made and where it may run.",
            json_schema_extra=local(Local.IGNORED, "There are no pods."),
        ),
    ] = None
    ingestion: Annotated[
        IngestionSettings,
        Field(
            description="How the ingestion Jobs are made.",
            json_schema_extra=local(Local.IGNORED, "The process ingests by itself."),
        ),
    ] = IngestionSettings()


class VectorIndexStatus(BaseModel):
    """What the operator reports. Never read back as a source of truth."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    observed_generation: Annotated[
        int,
        Field(
            alias="observedGeneration",
            description="Generation of the spec that this status is about; -1 before the first look.",
        ),
    ] = -1
    phase: Annotated[
        Literal["Pending", "Progressing", "Ready", "Degraded", "Stalled", "Paused"] | None,
        Field(description="The conditions in one word, for tools that compare a string."),
    ] = None
    active_revision: Annotated[
        str | None, Field(alias="activeRevision", max_length=63, description="The build of the index that agents read.")
    ] = None
    fingerprint: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Identity of model and chunker; vectors of different fingerprints are never mixed.",
        ),
    ] = None
    documents: Annotated[int | None, Field(description="Documents in the index.")] = None
    chunks: Annotated[int | None, Field(description="Chunks in the index.")] = None
    failed: Annotated[
        int | None, Field(description="Documents that could not be ingested; the Synced condition names them.")
    ] = None
    progress: Annotated[str | None, Field(max_length=128, description="How far a running ingestion is.")] = None
    last_synced_time: Annotated[
        datetime | None, Field(alias="lastSyncedTime", description="When the sources were last ingested.")
    ] = None
    synced_sources: Annotated[
        str | None,
        Field(
            alias="syncedSources", max_length=64, description="Hash of the sources' versions that were last ingested."
        ),
    ] = None
    conditions: Annotated[
        list[Condition] | None,
        Field(
            max_length=16,
            description="Ready always; Reconciling and Stalled only while True; Resolved, Available and Synced "
            "explain Ready.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = None


class VectorIndex(Kind):
    """Documents made searchable: read from their sources, cut into chunks, embedded, kept in a vector store."""

    kind: Literal["VectorIndex"] = "VectorIndex"
    spec: Annotated[VectorIndexSpec, Field(description="The index that is wanted.")]
    status: Annotated[VectorIndexStatus, Field(description="What the operator reports.")] = VectorIndexStatus()

    PLURAL: ClassVar[str] = "vectorindexes"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("vidx",)
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        *READY_COLUMNS,
        {"name": "Documents", "type": "integer", "jsonPath": ".status.documents"},
        AGE_COLUMN,
    )
