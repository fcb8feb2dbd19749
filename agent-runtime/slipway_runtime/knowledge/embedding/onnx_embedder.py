"""Texts to vectors, with a sentence model on ONNX Runtime: MiniLM, or any other in a folder.

The model runs in threads of its own, so that the event loop goes on serving. Questions come one at a time and are
needed quickly; ingestion brings thousands of texts, which are sorted by length and run eight at a time, because padding
is work too (bigger batches are slower on CPUs and take more memory), on as many threads as there are.
"""

import asyncio
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from slipway_runtime.knowledge.embedding.embedder import Matrix, TextTooLong, Vector
from slipway_runtime.knowledge.embedding.model_files import ModelMissing

if TYPE_CHECKING:  # libraries that a host without documents never loads
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

BATCH = 8
_SHAPES = {
    2: "one vector for a text: write none in",
    3: "a vector for each token: write mean or cls, as its documentation says, in",
}

CPU_SECONDS = Counter("slipway_embedding_cpu_seconds", "CPU time of the embedding model's threads.")


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """A sentence model in files, and how it is used."""

    graph: Path
    tokenizer: Path
    dimensions: int
    """0: as `probe` finds them."""
    max_tokens: int
    """What the model reads, with the tokens that it adds itself."""
    pooling: Literal["mean", "cls", "none"]
    """How vectors of tokens become one; `none` where the graph gives one already."""
    identity: Mapping[str, str]
    """See `Embedder`."""
    query_prefix: str = ""
    text_prefix: str = ""
    """What the model expects before a question, and before a text."""


def load_tokenizer(path: Path) -> "Tokenizer":
    """The model's tokenizer, without the padding and the cut that its file may ask for."""
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def pad(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids of several texts as one matrix, and the mask that separates tokens from padding."""
    width = max(len(row) for row in rows)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


class OnnxEmbedder:
    """See `Embedder`. The first use loads it; hold one a process.

    Args:
        threads: threads that one run of the model may use.
        workers: how many runs may go on at the same time.
    """

    def __init__(self, model: OnnxModel, *, threads: int = 1, workers: int = 2) -> None:
        self._model = model
        self._threads = threads
        self._workers = workers
        self._dimensions = model.dimensions
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="embedding")

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return load_tokenizer(self._model.tokenizer)

    @cached_property
    def _session(self) -> "InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Waiting threads would otherwise spin, and take the CPU from the rest of the pod between questions.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(str(self._model.graph), options, providers=["CPUExecutionProvider"])

    @cached_property
    def _inputs(self) -> list[str]:
        return [each.name for each in self._session.get_inputs()]

    @property
    def identity(self) -> Mapping[str, str]:
        """See `Embedder`."""
        return self._model.identity

    @property
    def dimensions(self) -> int:
        """See `Embedder`."""
        return self._dimensions

    def probe(self, *, allowed: Container[str], field: str) -> None:
        """Load the model in this thread, run it once on as many tokens as it is said to read, and take its dimensions.

        Args:
            allowed: names of inputs that it may have.
            field: where the model is described, for the errors.

        Raises:
            ModelMissing: if it cannot be used as it is described; the text says what to do.
        """
        graph = self._model.graph
        try:
            other = [name for name in self._inputs if name not in allowed]
            token = self._tokenizer.encode("a", add_special_tokens=False).ids[:1] or [0]
        except Exception as error:  # both libraries have errors of their own for each kind of damage
            raise ModelMissing(f"{graph} or its tokenizer cannot be loaded: export the model anew ({error})") from error
        if other:
            raise ModelMissing(
                f"{graph} asks for {', '.join(other)}: export a sentence model, which reads tokens alone"
            )
        row = token * self._model.max_tokens
        try:
            output = self._output(*pad([row]))
        except Exception as error:
            raise ModelMissing(
                f"{graph} cannot read {len(row)} tokens: lower {field}.maxTokens to what the model reads ({error})"
            ) from error
        if output.ndim != (2 if self._model.pooling == "none" else 3):
            raise ModelMissing(f"{graph} gives {_SHAPES.get(output.ndim, 'something else')} {field}.pooling")
        self._dimensions = int(output.shape[-1])

    def count_tokens(self, text: str) -> int:
        """See `Tokens`."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def token_starts(self, text: str) -> list[int]:
        """See `Tokens`."""
        return [start for start, _ in self._tokenizer.encode(text, add_special_tokens=False).offsets]

    async def load(self) -> None:
        """Load the model now instead of at the first question."""
        await self.embed_query("warm up")

    async def embed_query(self, text: str) -> Vector:
        """See `Embedder`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._query, text)

    async def embed_texts(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Matrix:
        """See `Embedder`."""
        rows = self._tokenize(texts)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        vectors = np.empty((len(rows), self.dimensions), dtype=np.float32)
        done = 0
        for start in range(0, len(batches), self._workers):
            group = batches[start : start + self._workers]
            for batch, part in zip(group, await asyncio.gather(*(self._embed(rows, b) for b in group)), strict=True):
                vectors[batch] = part
                done += len(batch)
            if progress:
                progress(done)
        return vectors

    async def close(self) -> None:
        """Wait for the runs that have begun, end the threads, and free the model's memory, whoever still holds this."""
        await asyncio.to_thread(self._pool.shutdown)
        for loaded in ("_session", "_tokenizer"):
            self.__dict__.pop(loaded, None)

    async def _embed(self, rows: Sequence[list[int]], batch: Sequence[int]) -> Matrix:
        selected = [rows[number] for number in batch]
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._batch, selected)

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        prefixed = [self._model.text_prefix + text for text in texts]
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(prefixed)]
        most = self._model.max_tokens
        for text, row in zip(texts, rows, strict=True):
            if len(row) > most:
                raise TextTooLong(f"a text of {len(row)} tokens, beginning {text[:40]!r}; the model reads {most}")
        return rows

    def _query(self, text: str) -> Vector:
        with _counted():
            ids: list[int] = self._tokenizer.encode(self._model.query_prefix + text).ids
            if len(ids) > self._model.max_tokens:
                ids = [*ids[: self._model.max_tokens - 1], ids[-1]]
            vector: Vector = self._run([ids])[0]
            return vector

    def _batch(self, rows: Sequence[Sequence[int]]) -> Matrix:
        with _counted():
            return self._run(rows)

    def _run(self, rows: Sequence[Sequence[int]]) -> Matrix:
        """Vectors [len(rows), dimensions] of rows of token ids."""
        ids, mask = pad(rows)
        return pooled(self._output(ids, mask), mask, self._model.pooling)

    def _output(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Matrix:
        """What the graph gives for token ids."""
        given = {"input_ids": ids, "attention_mask": mask}
        # A model may also want token_type_ids: all are of one sentence.
        inputs = {name: given[name] if name in given else np.zeros_like(ids) for name in self._inputs}
        output: Matrix = self._session.run(None, inputs)[0]
        return output


def pooled(output: Matrix, mask: NDArray[np.int64], pooling: Literal["mean", "cls", "none"]) -> Matrix:
    """Vectors [texts, dimensions] of length one, from what a graph gives: those, or [texts, tokens, dimensions]."""
    if pooling == "cls":
        output = output[:, 0]
    elif pooling == "mean":
        weights = mask[:, :, None].astype(np.float32)
        output = (output * weights).sum(axis=1) / weights.sum(axis=1)
    return np.asarray(output / np.maximum(np.linalg.norm(output, axis=1, keepdims=True), 1e-12), dtype=np.float32)


@contextmanager
def _counted() -> Iterator[None]:
    """Count the CPU time of this thread, which is all of it as long as a run has one thread."""
    began = time.thread_time()
    try:
        yield
    finally:
        CPU_SECONDS.inc(time.thread_time() - began)
