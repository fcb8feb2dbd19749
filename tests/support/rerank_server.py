"""A reranker on loopback, in the wire formats of Cohere's and Jina's `/rerank` and of Text Embeddings Inference's.

The forms are those of their API references: Cohere and Jina take `documents` and want a `model`, and answer with
`results` that have a `relevance_score`; TEI takes `texts` and answers with a list whose entries have a `score`. A text
scores by how often it has the server's favourite word.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

MOST_TEXTS = 32
"""Of TEI, as it is delivered (`--max-client-batch-size`)."""


@dataclass
class RerankServer:
    """A service and what it was asked. `faults` are answered first, one a request: a status, or a body."""

    favourite: str
    url: str = ""
    faults: list[int | bytes] = field(default_factory=list)
    silent: bool = False
    """Whether no answer comes, until the server ends."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """`POST /v2/rerank` of Cohere and Jina, `POST /rerank` of TEI."""
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization"))
        if self.silent:
            await self.ending.wait()
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, bytes):
                return web.Response(body=fault, content_type="application/json")
            return web.json_response({"message": "no"}, status=fault)
        return self._cohere(body) if request.path == "/v2/rerank" else self._tei(body)

    def _cohere(self, body: dict[str, Any]) -> web.Response:
        if "model" not in body or "documents" not in body:
            return web.json_response({"message": "invalid request: model and documents are required"}, status=400)
        ranked = [{"index": number, "relevance_score": score} for number, score in self._scores(body["documents"])]
        meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
        return web.json_response({"id": "1", "results": ranked[: body.get("top_n")], "meta": meta})

    def _tei(self, body: dict[str, Any]) -> web.Response:
        if len(body.get("texts", ())) not in range(1, MOST_TEXTS + 1):
            error = {"error": "batch size > maximum allowed batch size", "error_type": "Validation"}
            return web.json_response(error, status=422)
        return web.json_response([{"index": number, "score": score} for number, score in self._scores(body["texts"])])

    def _scores(self, texts: list[str]) -> list[tuple[int, float]]:
        scored = [(number, text.lower().count(self.favourite) / 10) for number, text in enumerate(texts)]
        return sorted(scored, key=lambda each: -each[1])


@asynccontextmanager
async def rerank_server(favourite: str) -> AsyncIterator[RerankServer]:
    """A server that listens on loopback.

    Args:
        favourite: the word, in lower case, that makes a text fit.
    """
    made = RerankServer(favourite)
    app = web.Application()
    app.router.add_post("/v2/rerank", made.answer)
    app.router.add_post("/rerank", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        made.url = f"http://{host}:{port}"
        yield made
    finally:
        made.ending.set()
        await asyncio.shield(runner.cleanup())
