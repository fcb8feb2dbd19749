"""MiniLM, the embedding model that is part of Slipway: 384 dimensions, English, 256 tokens."""

from pathlib import Path

from slipway_runtime.knowledge.embedding.model_files import DIMENSIONS, MAX_TOKENS, WEIGHTS_SHA256, check
from slipway_runtime.knowledge.embedding.onnx_embedder import OnnxEmbedder, OnnxModel


class MiniLM(OnnxEmbedder):
    """See `OnnxEmbedder`.

    Args:
        folder: the model's folder, as `build_model` makes it.

    Raises:
        ModelMissing: if the folder has no model, or a damaged one.
    """

    def __init__(self, folder: Path, *, threads: int = 1, workers: int = 2) -> None:
        files = check(folder)
        model = OnnxModel(
            graph=files.graph,
            tokenizer=files.tokenizer,
            dimensions=DIMENSIONS,
            max_tokens=MAX_TOKENS,
            pooling="none",
            identity={"model": WEIGHTS_SHA256, "pooling": "mean"},
        )
        super().__init__(model, threads=threads, workers=workers)
