"""A sentence model of the user's in a folder, as Hugging Face lays it out: `model.onnx` or `onnx/model.onnx`, and
`tokenizer.json` beside it or above."""

from pathlib import Path

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.knowledge.embedding.model_files import GRAPH, TOKENIZER, ModelMissing, sha256
from slipway_runtime.knowledge.embedding.onnx_embedder import OnnxModel

WEIGHTS = ("model.onnx_data", "model.onnx.data")
"""Files beside a graph with its weights, where it does not hold them itself."""


def onnx_model(folder: Path, config: EmbeddingConfig) -> OnnxModel:
    """The model in a folder. Whoever exchanges a file has another model: digests of the files are its identity.

    Raises:
        ModelMissing: if the folder has none, or another one than `config.graph_digest` names.
    """
    graph = next((path for path in (folder / GRAPH, folder / "onnx" / GRAPH) if path.is_file()), None)
    if graph is None:
        raise ModelMissing(f"there is neither {GRAPH} nor onnx/{GRAPH} in {folder}: put the exported model there")
    tokenizer = next((path for path in (graph.parent / TOKENIZER, folder / TOKENIZER) if path.is_file()), None)
    if tokenizer is None:
        raise ModelMissing(f"there is no {TOKENIZER} in {folder}: put the model's tokenizer there")
    weights = "".join(sha256(path) for name in WEIGHTS if (path := graph.parent / name).is_file())
    digest = sha256(graph)
    if config.graph_digest is not None and config.graph_digest != f"sha256:{digest}":
        raise ModelMissing(f"{graph} has the digest sha256:{digest}, not {config.graph_digest}: correct one of the two")
    return OnnxModel(
        graph=graph,
        tokenizer=tokenizer,
        dimensions=config.dimensions,
        max_tokens=config.max_tokens,
        pooling=config.pooling,
        identity={
            "model": digest + weights,
            "tokenizer": sha256(tokenizer),
            "pooling": config.pooling,
            "query_prefix": config.query_prefix,
            "text_prefix": config.text_prefix,
        },
        query_prefix=config.query_prefix,
        text_prefix=config.text_prefix,
    )
