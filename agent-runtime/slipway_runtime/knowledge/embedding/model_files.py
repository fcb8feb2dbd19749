"""Where the embedding model lies, and whether it is the one we mean.

The folder is made by `build_model` and holds the graph, the tokenizer and a digest of both. A file that was cut short
or exchanged would not fail loudly, it would answer wrongly; so the digest is checked each time a process loads it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

MODEL_NAME = "all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the official `model.safetensors`; part of every index's fingerprint."""
DIMENSIONS = 384
MAX_TOKENS = 256
"""What the model reads, with its own two tokens; anything beyond would be ignored without a word."""
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
DIGEST = "digest.json"


class ModelMissing(Exception):
    """There is no usable model in the folder; the message says what to run."""


class Digest(BaseModel):
    """What `build_model` writes next to the files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    weights: str
    graph_version: int
    files: dict[str, str]
    """SHA-256 by file name."""


@dataclass(frozen=True)
class EmbeddingModelFiles:
    """A folder whose files match their digest."""

    graph: Path
    tokenizer: Path


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file.

    Raises:
        FileNotFoundError: if there is none.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_digest(folder: Path) -> Digest | None:
    """The folder's digest, or None where there is none that can be read."""
    try:
        return Digest.model_validate_json((folder / DIGEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def check(folder: Path) -> EmbeddingModelFiles:
    """The files of a model folder, after comparing them with their digest.

    Raises:
        ModelMissing: if the folder has no model, another model, or damaged files.
    """
    digest = read_digest(folder)
    if digest is None:
        raise ModelMissing(f"no embedding model in {folder}: run `make model`, or set SLIPWAY_MODEL_DIR to its folder")
    if digest.weights != WEIGHTS_SHA256:
        raise ModelMissing(f"{folder} holds another model than {MODEL_NAME}: run `make model` again")
    for name in (GRAPH, TOKENIZER):
        if not (folder / name).is_file() or sha256(folder / name) != digest.files.get(name):
            raise ModelMissing(f"{folder / name} does not match its digest: delete the folder and run `make model`")
    return EmbeddingModelFiles(graph=folder / GRAPH, tokenizer=folder / TOKENIZER)
