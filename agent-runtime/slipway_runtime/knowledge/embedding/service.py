"""Texts to vectors by a service: OpenAI's, one that speaks like it, or Vertex AI's.

pydantic-ai's embedding models make the requests, with the same guarded connections, keys and certificates as models
that write. What a service counts as a token is not known here; texts are cut as MiniLM counts them, whose tokens are
no longer than those of the large models.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tenacity import RetryCallState
from tenacity.wait import wait_base

from slipway_crds.runtimeconfig import EmbeddingConfig, ModelConfig
from slipway_runtime import retrying
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable, Matrix, Tokens, Vector
from slipway_runtime.models.connection import KeyProblem, key_in
from slipway_runtime.models.providers import Connection, openai_client

if TYPE_CHECKING:
    from pydantic_ai.embeddings import EmbeddingModel

AT_ONCE = 2
"""Requests of an ingestion at the same time: services count them, and take many texts in one."""
CHARACTERS = 100_000
"""Of the texts in one request at most: services bound their tokens, at 20,000 (Vertex AI) or more."""
RETRIED = frozenset([408, 409, 429, 500, 502, 503, 504, 529])
PATIENCE = 120.0
"""Seconds for which an ingestion asks again; its own patience comes on top."""


class ServiceEmbedder:
    """See `Embedder`. Nothing is connected before the first text.

    Args:
        key_file: the API key; None for a service that wants none, or for the pod's own identity (Vertex AI).
        tokens: counts where the service's own tokenizer is not known.
        patience: seconds for which a text is tried again.
    """

    def __init__(
        self, config: EmbeddingConfig, *, key_file: Path | None, tokens: Tokens, patience: float = PATIENCE
    ) -> None:
        self._config = config
        self._tokens = tokens
        self._patience = patience
        key = key_in(key_file, ref="spec.embedding.service.apiKeyRef")
        self._connection = Connection(_as_model(config), key)
        self._model: EmbeddingModel | None = None

    @property
    def identity(self) -> Mapping[str, str]:
        """See `Embedder`. Servers at two addresses may have two models of one name."""
        return {
            "provider": self._config.provider,
            "model": self._config.model,
            "url": self._config.base_url or "",
        }

    @property
    def dimensions(self) -> int:
        """See `Embedder`."""
        return self._config.dimensions

    def count_tokens(self, text: str) -> int:
        """See `Tokens`."""
        return self._tokens.count_tokens(text)

    def token_starts(self, text: str) -> list[int]:
        """See `Tokens`."""
        return self._tokens.token_starts(text)

    async def embed_query(self, text: str) -> Vector:
        """See `Embedder`. A question waits for nothing: it is asked once.

        Raises:
            EmbeddingUnavailable: if the service gives no vector.
        """
        vector: Vector = (await self._request([text], query=True))[0]
        return vector

    async def embed_texts(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Matrix:
        """See `Embedder`.

        Raises:
            EmbeddingUnavailable: if the service gives no vectors for longer than the patience, or other ones.
        """
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        room, done = asyncio.Semaphore(AT_ONCE), 0

        async def embed(batch: range) -> None:
            nonlocal done
            async with room:
                vectors[batch.start : batch.stop] = await self._patiently([texts[number] for number in batch])
            done += len(batch)
            if progress:
                progress(done)

        try:
            async with asyncio.TaskGroup() as group:
                for batch in batches(texts, most=self._config.batch):
                    group.create_task(embed(batch))
        except* EmbeddingUnavailable as errors:
            raise _first(errors) from errors
        return vectors

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def _patiently(self, texts: Sequence[str]) -> Matrix:
        return await retrying.retry(
            lambda: self._request(texts, query=False),
            policy=_Told(),
            on=lambda error: isinstance(error, EmbeddingUnavailable) and error.passing,
            seconds=self._patience,
        )

    async def _request(self, texts: Sequence[str], *, query: bool) -> Matrix:
        from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior

        if self._model is None:
            self._model = _make(self._connection, self._config)
        try:
            result = await self._model.embed(list(texts), input_type="query" if query else "document")
        except ModelHTTPError as error:
            raise _refused(error.status_code, error.headers or {}) from error
        except KeyProblem as error:
            raise EmbeddingUnavailable(str(error)) from error
        except (ModelAPIError, UnexpectedModelBehavior, ValueError) as error:
            raise EmbeddingUnavailable(
                f"the embedding service gives no answer ({type(error).__name__})", passing=True
            ) from error
        return self._checked(np.asarray(result.embeddings, dtype=np.float32), len(texts))

    def _checked(self, vectors: Matrix, count: int) -> Matrix:
        if vectors.shape != (count, self.dimensions):
            given = f"{vectors.shape[-1]} dimensions" if vectors.ndim == 2 else "no vectors"
            raise EmbeddingUnavailable(
                f"the embedding service gives {given} for {count} texts, and spec.embedding says {self.dimensions}"
                " dimensions: correct one of the two"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise EmbeddingUnavailable("the embedding service gives vectors without a direction", passing=True)
        unit: Matrix = vectors / lengths
        return unit


class _Told(wait_base):
    """As long as the service says, else as for any other server of an ingestion."""

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        told = error.retry_after if isinstance(error, EmbeddingUnavailable) else None
        return retrying.INGESTION(retry_state) if told is None else told


def batches(texts: Sequence[str], *, most: int) -> list[range]:
    """Texts to be sent together, by their numbers."""
    found: list[range] = []
    start = size = 0
    for number, text in enumerate(texts):
        if number > start and (number - start >= most or size + len(text) > CHARACTERS):
            found.append(range(start, number))
            start, size = number, 0
        size += len(text)
    return [*found, range(start, len(texts))] if texts else []


def _refused(status: int, headers: Mapping[str, str]) -> EmbeddingUnavailable:
    if status in (401, 403):
        return EmbeddingUnavailable("the embedding service refuses the key: correct the Secret that apiKeyRef names")
    if status == 404:
        return EmbeddingUnavailable("the embedding service knows no such model: correct spec.embedding.service.model")
    told = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    after = min(float(told), 60.0) if told.isdecimal() else None
    return EmbeddingUnavailable(f"the embedding service answers {status}", passing=status in RETRIED, retry_after=after)


def _as_model(config: EmbeddingConfig) -> ModelConfig:
    """What the connections of models that write are described with."""
    provider = "google" if config.provider == "vertex" else config.provider
    return ModelConfig.model_validate(
        {
            "name": "embedding",
            "provider": provider,
            "model": config.model,
            "base_url": config.base_url,
            "timeout_seconds": config.timeout_seconds,
        }
    )


def _make(connection: Connection, config: EmbeddingConfig) -> "EmbeddingModel":
    from pydantic_ai.embeddings import EmbeddingSettings

    settings = EmbeddingSettings(dimensions=config.dimensions) if config.shortened else EmbeddingSettings()
    if config.provider == "vertex":
        from pydantic_ai.embeddings.google import GoogleEmbeddingModel
        from pydantic_ai.providers.google_cloud import GoogleCloudProvider

        google = GoogleCloudProvider(
            project=config.project, location=config.location, base_url=config.base_url, http_client=connection.http
        )
        return GoogleEmbeddingModel(config.model, provider=google, settings=settings)
    from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(openai_client=openai_client(connection))
    return OpenAIEmbeddingModel(config.model, provider=provider, settings=settings)


def _first(errors: ExceptionGroup[EmbeddingUnavailable]) -> EmbeddingUnavailable:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
