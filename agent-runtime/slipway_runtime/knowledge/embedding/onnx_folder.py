"""A sentence model of the user's in a folder, as Hugging Face lays it out: the graph in the folder or in `onnx/`, and
`tokenizer.json` next to it or above."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable, Matrix, Vector
from slipway_runtime.knowledge.embedding.model_files import TOKENIZER, ModelMissing, sha256
from slipway_runtime.knowledge.embedding.onnx_embedder import OnnxEmbedder, OnnxModel

GRAPHS = {"fp32": ("model.onnx",), "int8": ("model_int8.onnx", "model_quantized.onnx")}
"""Names of graphs, by precision."""
WEIGHTS = ("_data", ".data")
"""Ends of the names of files next to a graph with its weights, where it does not hold them itself."""
INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
FIELD = "spec.embedding.onnx"


def onnx_model(folder: Path, config: EmbeddingConfig) -> OnnxModel:
    """The model in a folder. Whoever exchanges a file has another model: digests of the files are its identity.

    Raises:
        ModelMissing: if the folder has none, or another one than `config.graph_digest` names.
    """
    names = GRAPHS[config.precision]
    graph = next((path for name in names for path in (folder / name, folder / "onnx" / name) if path.is_file()), None)
    if graph is None:
        named = " or ".join(f"{name} or onnx/{name}" for name in names)
        raise ModelMissing(f"there is no {named} in {folder}: put the exported model there, or correct {FIELD}")
    tokenizer = next((path for path in (graph.parent / TOKENIZER, folder / TOKENIZER) if path.is_file()), None)
    if tokenizer is None:
        raise ModelMissing(f"there is no {TOKENIZER} in {folder}: put the model's tokenizer there")
    weights = "".join(sha256(path) for end in WEIGHTS if (path := graph.with_name(graph.name + end)).is_file())
    digest = sha256(graph)
    if config.graph_digest is not None and config.graph_digest != f"sha256:{digest}":
        raise ModelMissing(
            f"{graph} has the digest sha256:{digest}, not {config.graph_digest}: correct {FIELD}.digest, or the file"
        )
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


def open_model(folder: Path, config: EmbeddingConfig, *, workers: int = 2) -> OnnxEmbedder:
    """The model in a folder, loaded, and tried with a text of as many tokens as it is said to read.

    Raises:
        ModelMissing: if there is none that can be used; the text says what to do.
    """
    made = OnnxEmbedder(onnx_model(folder, config), workers=workers)
    made.probe(allowed=INPUTS, field=FIELD)
    return made


class FolderEmbedder:
    """See `Embedder`. The first use loads the model and checks it, and so does the next one if it cannot be used.

    Every use raises EmbeddingUnavailable, with what to do, while the model cannot be used.
    """

    def __init__(self, folder: Path, config: EmbeddingConfig, *, workers: int = 2) -> None:
        self._folder = folder
        self._config = config
        self._workers = workers
        self._lock = threading.Lock()
        self._opened: OnnxEmbedder | None = None

    @property
    def identity(self) -> Mapping[str, str]:
        """See `Embedder`."""
        return self._model.identity

    @property
    def dimensions(self) -> int:
        """See `Embedder`."""
        return self._model.dimensions

    def count_tokens(self, text: str) -> int:
        """See `Tokens`."""
        return self._model.count_tokens(text)

    def token_starts(self, text: str) -> list[int]:
        """See `Tokens`."""
        return self._model.token_starts(text)

    async def embed_query(self, text: str) -> Vector:
        """See `Embedder`."""
        return await (await self._loaded()).embed_query(text)

    async def embed_texts(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Matrix:
        """See `Embedder`."""
        return await (await self._loaded()).embed_texts(texts, progress=progress)

    async def close(self) -> None:
        """End the threads and free the memory."""
        if self._opened is not None:
            await self._opened.close()

    async def _loaded(self) -> OnnxEmbedder:
        return self._opened if self._opened is not None else await asyncio.to_thread(self._open)

    @property
    def _model(self) -> OnnxEmbedder:
        return self._opened or self._open()

    def _open(self) -> OnnxEmbedder:
        with self._lock:
            if self._opened is not None:
                return self._opened
            try:
                opened = self._opened = open_model(self._folder, self._config, workers=self._workers)
            except ModelMissing as error:
                raise EmbeddingUnavailable(str(error)) from error
            return opened
