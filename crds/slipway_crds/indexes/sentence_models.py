"""An ONNX sentence model of the user's, in a volume or an image."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from slipway_crds.fields import (
    ABSOLUTE_PATH_PATTERN,
    DIGEST_PATTERN,
    FOLDER_PATTERN,
    PINNED_IMAGE_PATTERN,
    SpecModel,
    SubdomainName,
    emulated,
    same,
)
from slipway_crds.rules import OneOf
from slipway_crds.runtimeconfig import EmbeddingConfig

LOCAL_FOLDER = emulated(
    "The model is read from a folder with the name of the index, below the folder that the environment variable "
    "`SLIPWAY_SENTENCE_MODELS` names."
)
Prefix = Annotated[str, Field(max_length=256)]


class ModelVolume(SpecModel):
    """A folder of a volume."""

    local = LOCAL_FOLDER

    claim_name: SubdomainName
    """Name of the PersistentVolumeClaim, in the index's namespace. Ingestions and the agents that read the index mount
    it read-only, so it has to be one that pods on several nodes may read."""
    path: Annotated[str, Field(min_length=1, max_length=512, pattern=FOLDER_PATTERN)] | None = None
    """Folder of the model in the volume; the volume's root if not given."""


class ModelImage(SpecModel):
    """A folder of an image, which pods copy before they start."""

    local = LOCAL_FOLDER

    name: Annotated[str, Field(min_length=1, max_length=512, pattern=PINNED_IMAGE_PATTERN)]
    """The image. It needs the command `cp`, as busybox and Debian have it."""
    path: Annotated[str, Field(min_length=1, max_length=512, pattern=ABSOLUTE_PATH_PATTERN)]
    """Folder of the model in the image."""


class SentenceModel(OneOf):
    """A sentence model as Hugging Face lays it out: `model.onnx` or `onnx/model.onnx`, and `tokenizer.json`."""

    local = same("The same model runs.")
    besides = frozenset({"precision", "max_tokens", "pooling", "query_prefix", "text_prefix"})

    volume: Annotated[ModelVolume | None, LOCAL_FOLDER] = None
    """Where the model is: a folder of a volume."""
    image: Annotated[ModelImage | None, LOCAL_FOLDER] = None
    """Where the model is: a folder of an image."""
    digest: Annotated[str, Field(pattern=DIGEST_PATTERN, min_length=71, max_length=71)]
    """Digest of the file with the graph, `sha256:` and what `sha256sum model.onnx` prints. Another file is refused."""
    precision: Literal["fp32", "int8"] = "fp32"
    """Which of the model's files is used: `model.onnx`, or for `int8` `model_int8.onnx` or `model_quantized.onnx`. The
    two give different vectors, so a change makes another build."""
    max_tokens: Annotated[int, Field(ge=34, le=8192)] = 512
    """Tokens that the model reads, with those that it adds itself."""
    pooling: Literal["mean", "cls", "none"] = "mean"
    """How the vectors of tokens become one, as the model's documentation says; `none` for a graph that gives one."""
    query_prefix: Prefix = ""
    """What the model expects before a question, such as `query: `."""
    text_prefix: Prefix = ""
    """What the model expects before a text, such as `passage: `."""

    @property
    def mount(self) -> str:
        """Name of the folder that the volume or the image's copy is mounted at, the same for the same place."""
        return hashlib.sha256(f"{self.volume!r}{self.image!r}".encode()).hexdigest()[:16]

    def config(self, index: str) -> EmbeddingConfig:
        """What an ingestion and a host do with it. The dimensions are read from the model."""
        folder = f"{index}/{self.mount}"
        if self.volume is not None and self.volume.path is not None:
            folder += f"/{self.volume.path.strip('/')}"
        return EmbeddingConfig(
            provider="onnx",
            model=folder,
            dimensions=0,
            max_tokens=self.max_tokens,
            graph_digest=self.digest,
            precision=self.precision,
            pooling=self.pooling,
            query_prefix=self.query_prefix,
            text_prefix=self.text_prefix,
        )
