"""A service that orders what a search found: Cohere's or Jina's interface, or that of Text Embeddings Inference (TEI).

A search does not depend on it. While it is unavailable, slow, or unreadable, what was found keeps its order;
the first such failure is logged, all are counted, and a service that keeps failing is left alone for a while.
"""

import asyncio
import json
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
from prometheus_client import Counter

from slipway_crds.runtimeconfig import RerankerConfig
from slipway_runtime.addresses import ForbiddenAddress
from slipway_runtime.circuit import Circuit
from slipway_runtime.knowledge.retrieval.reranking import RERANKED
from slipway_runtime.models.connection import KeyProblem, http_client
from slipway_runtime.models.failures import cause_of

log = logging.getLogger(__name__)
FAILURES = Counter(
    "slipway_rerank_failures", "Searches whose results kept their order, since the reranker failed.", ["index"]
)


class RerankFailed(Exception):
    """The service gave no order. The text says why, and what to do."""


class ServiceReranker:
    """Asks one service. It connects at the first question.

    Args:
        index: `namespace/name`.
        key: the key of the moment; None for none. It may raise KeyProblem.
    """

    def __init__(self, index: str, config: RerankerConfig, key: Callable[[], str | None]) -> None:
        self._index = index
        self._config = config
        self._key = key
        self._http: httpx2.AsyncClient | None = None
        self._circuit = Circuit()
        self._failing = False

    async def order(self, question: str, texts: Sequence[str]) -> list[int] | None:
        """Numbers of all texts, best first; None if they are to keep their order.

        The service is given the first `RERANKED`; the others come after these.
        """
        if len(texts) < 2:
            return None
        if not self._circuit.allow():
            FAILURES.labels(self._index).inc()
            return None
        try:
            async with asyncio.timeout(self._config.timeout_seconds):
                best = await self._ask(question, texts[:RERANKED])
        except asyncio.CancelledError:
            self._circuit.abandoned()
            raise
        except TimeoutError:
            self._failed(f"it did not answer within {self._config.timeout_seconds} s")
            return None
        except (RerankFailed, KeyProblem) as error:
            self._failed(str(error))
            return None
        self._circuit.succeeded()
        if self._failing:
            log.info("the reranker of %s answers again", self._index)
        self._failing = False
        ordered = set(best)
        return [*best, *(number for number in range(len(texts)) if number not in ordered)]

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()

    def _failed(self, why: str) -> None:
        self._circuit.failed()
        FAILURES.labels(self._index).inc()
        if not self._failing:
            log.warning("the reranker of %s gave no order, and what is found keeps its own: %s", self._index, why)
        self._failing = True

    async def _ask(self, question: str, texts: Sequence[str]) -> list[int]:
        if self._http is None:
            seconds = self._config.timeout_seconds
            self._http = http_client(header="authorization", key=self._key, seconds=seconds, ca_file=None)
        url = f"{self._config.base_url.rstrip('/')}/rerank"
        try:
            response = await self._http.post(url, json=_body(self._config.model, question, texts))
            if response.status_code != 200:
                raise RerankFailed(_refusal(response.status_code))
            return _order(json.loads(response.content), len(texts))
        except httpx2.TransportError as error:
            if forbidden := cause_of(error, ForbiddenAddress):
                raise RerankFailed(f"it is not asked: {forbidden}") from error
            raise RerankFailed(f"it cannot be reached ({type(error).__name__})") from error
        except (ValueError, RecursionError, httpx2.HTTPError) as error:
            raise RerankFailed("its answer cannot be read: check baseURL, and model (TEI has none)") from error


def _body(model: str | None, question: str, texts: Sequence[str]) -> dict[str, Any]:
    if model is None:
        return {"query": question, "texts": texts, "truncate": True}
    return {"model": model, "query": question, "documents": texts, "top_n": len(texts)}


def _order(answer: Any, count: int) -> list[int]:
    """The numbers in an answer, the highest score first. Raises ValueError if it is no order of so many texts."""
    results = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(results, list) or not results:
        raise ValueError("no results")
    scores: dict[int, float] = {}
    for each in results:
        number = each.get("index") if isinstance(each, dict) else None
        score = each.get("relevance_score", each.get("score")) if isinstance(each, dict) else None
        if type(number) is not int or not 0 <= number < count or number in scores:
            raise ValueError("an index of no text")
        if not isinstance(score, int | float) or not math.isfinite(score):
            raise ValueError("a score that is no number")
        scores[number] = score
    return sorted(scores, key=lambda number: -scores[number])


def _refusal(status: int) -> str:
    if status in (401, 403):
        return "it refuses the key: correct the Secret that spec.search.reranker.apiKeyRef names"
    if status == 404:
        return "it answers 404: correct spec.search.reranker.baseURL, to which /rerank is added, or the model"
    return f"it answers {status}"
