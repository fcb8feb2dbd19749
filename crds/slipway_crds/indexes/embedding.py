"""What makes vectors of an index's texts, where it is not the model that Slipway brings."""

from typing import Annotated, Literal

from pydantic import Field

from slipway_crds.contract import connection_file
from slipway_crds.fields import MODEL_PATTERN, Duration, Name, SpecModel, Url, emulated, parse_duration, same
from slipway_crds.indexes.sentence_models import SentenceModel
from slipway_crds.rules import OneOf, duration_within, given_where
from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_crds.servers import BASE_URL_OF_COMPATIBLE, NO_METADATA_HOST, SecretKey


class EmbeddingService(SpecModel):
    """A service that embeds texts. Texts and questions are sent to it."""

    local = same("The same service is called.")
    rules = (
        BASE_URL_OF_COMPATIBLE,
        given_where(
            "apiKeyRef",
            "provider",
            ["openai"],
            "must be given for provider openai: name the Secret and the key in it",
        ),
        given_where(
            "project",
            "provider",
            ["vertex"],
            "must be given for provider vertex, as location must: the project on Google Cloud that pays",
        ),
        given_where(
            "location",
            "provider",
            ["vertex"],
            "must be given for provider vertex, as project must: a region like europe-west3",
        ),
        NO_METADATA_HOST,
        duration_within("timeout", "1s", "10m"),
    )

    provider: Literal["openai", "openai-compatible", "vertex"]
    """Whose interface it has. Vertex AI is called as the pod's ServiceAccount: see `pod.serviceAccountName`."""
    model: Annotated[str, Field(min_length=1, max_length=256, pattern=MODEL_PATTERN)]
    """The provider's name of the model."""
    dimensions: Annotated[int, Field(ge=8, le=4096)]
    """Length of its vectors. Other vectors are refused."""
    shortened: bool = False
    """Whether the model is asked for vectors of this length, because it gives longer ones by itself."""
    base_url: Annotated[Url | None, Field(alias="baseURL")] = None
    """Where it is, if not at the provider's own address. A server in the cluster, or at a private address, also has to
    be in `egress` of the index and of the agents that read it."""
    api_key_ref: Annotated[
        SecretKey | None,
        emulated("Read from a Secret among the manifests, or from the environment variable that `key` names."),
    ] = None
    """The key to call it with. The operator never reads it; pods read it again when it changes."""
    project: Name | None = None
    """Project on Google Cloud, for `vertex`."""
    location: Name | None = None
    """Region of Google Cloud, for `vertex`."""
    batch: Annotated[int, Field(ge=1, le=2048)] = 64
    """Texts in one request at most."""
    timeout: Duration = "30s"
    """A request that takes longer has failed."""

    def config(self, index: str) -> EmbeddingConfig:
        """What an ingestion and a host do with it."""
        ref = self.api_key_ref
        return EmbeddingConfig(
            provider=self.provider,
            model=self.model,
            dimensions=self.dimensions,
            shortened=self.shortened,
            base_url=self.base_url,
            project=self.project,
            location=self.location,
            batch=self.batch,
            timeout_seconds=int(parse_duration(self.timeout).total_seconds()),
            key=connection_file(index, ref.name, ref.key) if ref is not None else None,
        )


class Embedding(OneOf):
    """A model of another kind than the one that Slipway brings: exactly one member."""

    service: Annotated[EmbeddingService | None, same("The same service is called.")] = None
    """A service that embeds texts."""
    onnx: Annotated[SentenceModel | None, same("The same model runs.")] = None
    """A sentence model that runs in the pods of ingestions and agents."""

    def config(self, index: str) -> EmbeddingConfig:
        """What an ingestion and a host do with it."""
        chosen: EmbeddingService | SentenceModel = getattr(self, self.chosen)
        return chosen.config(index)
