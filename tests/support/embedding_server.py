"""Embedding services on loopback: OpenAI's interface and Vertex AI's, in the services' own wire formats.

Vectors come from MiniLM, so that searches by meaning work, cut or lengthened to the dimensions of the service.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web

from slipway_runtime.knowledge.embedding.embedder import Embedder


@dataclass
class EmbeddingServer:
    """A service and what it was asked. `faults` are answered first, one a request: status and headers."""

    embedder: Embedder
    dimensions: int = 512
    url: str = ""
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def openai(self, request: web.Request) -> web.Response:
        """`POST /v1/embeddings`, as OpenAI's API reference has it."""
        body = await request.json()
        self._note(request, body)
        if self.faults:
            status, headers = self.faults.pop(0)
            error = {"message": "no", "type": "server_error", "code": None, "param": None}
            return web.json_response({"error": error}, status=status, headers=headers)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vectors = await self._vectors(texts, body.get("dimensions", self.dimensions))
        coded = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": number,
                "embedding": base64.b64encode(vector.tobytes()).decode() if coded else vector.tolist(),
            }
            for number, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": usage})

    async def vertex(self, request: web.Request) -> web.Response:
        """`POST .../models/MODEL:predict`, as Vertex AI's text embeddings API has it."""
        body = await request.json()
        self._note(request, body)
        texts = [each["content"] for each in body["instances"]]
        wanted = body.get("parameters", {}).get("outputDimensionality", self.dimensions)
        vectors = await self._vectors(texts, wanted)
        predictions = [
            {"embeddings": {"values": vector.tolist(), "statistics": {"token_count": 1, "truncated": False}}}
            for vector in vectors
        ]
        return web.json_response({"predictions": predictions})

    async def token(self, request: web.Request) -> web.Response:
        """`POST /token`: an OAuth token for a service account."""
        return web.json_response({"access_token": "token-of-the-tests", "token_type": "Bearer", "expires_in": 3600})

    def _note(self, request: web.Request, body: dict[str, Any]) -> None:
        self.requests.append(body | {"path": request.path})
        self.keys.append(request.headers.get("Authorization", ""))

    async def _vectors(self, texts: Sequence[str], dimensions: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
        found = await self.embedder.embed_texts(list(texts))
        return [np.resize(vector, dimensions).astype("<f4") * 3 for vector in found]


@asynccontextmanager
async def embedding_server(embedder: Embedder) -> AsyncIterator[EmbeddingServer]:
    """A server that listens on loopback."""
    made = EmbeddingServer(embedder)
    app = web.Application()
    app.router.add_post("/v1/embeddings", made.openai)
    app.router.add_post("/token", made.token)
    app.router.add_post("/{rest:.*:predict}", made.vertex)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        made.url = f"http://{host}:{port}"
        yield made
    finally:
        await asyncio.shield(runner.cleanup())
