"""Questions that a plugin in WebAssembly has for agents: asked through the gateway with the grant of its call."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from slipway_runtime.plugins.loaded import CALL_GRANT
from slipway_runtime.plugins.loading.questions import AgentQuestion
from slipway_runtime.telemetry.tracing import outgoing

CONNECT_SECONDS = 3.0
ANSWER_BYTES = 2 * 1024 * 1024
NO_RIGHT = {
    "reason": "NotAMember",
    "error": "the plugin may ask no agent now: name agents in permissions.agents, and see how deep calls are",
}


class AgentQuestions:
    """Asks agents of one namespace.

    Args:
        url: the gateway's.
        seconds: for all questions that are asked at once.
    """

    def __init__(self, url: str, namespace: str, *, seconds: float) -> None:
        self._url = url.rstrip("/")
        self._namespace = namespace
        self._seconds = seconds

    async def answers(self, questions: Sequence[AgentQuestion]) -> list[Mapping[str, Any]]:
        """`answer` and `abstained` for each question, or `reason` and `error`, in the same order."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(self._url, timeout=timeout) as session:
            return list(await asyncio.gather(*(self._answer(session, each) for each in questions)))

    async def _answer(self, session: aiohttp.ClientSession, question: AgentQuestion) -> Mapping[str, Any]:
        grant = CALL_GRANT.get()
        if not grant:
            return NO_RIGHT
        headers = {"Authorization": f"Bearer {grant}", "Content-Type": "application/json"}
        outgoing(headers)
        path = f"/agents/{self._namespace}/{question.agent}/chat"
        try:
            async with (
                asyncio.timeout(self._seconds),
                session.post(
                    path, data=orjson.dumps({"question": question.question}), headers=headers, allow_redirects=False
                ) as response,
            ):
                said = orjson.loads(await _whole(response))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            return {"reason": "GatewayUnreachable", "error": f"the gateway gave no answer: {why[:300]}"}
        if response.status != 200:
            return {"reason": str(said.get("reason")), "error": str(said.get("detail"))}
        return {"answer": said["answer"], "abstained": said["abstained"]}


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """Raises ValueError for an answer that is too long."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise ValueError(f"an answer may have {ANSWER_BYTES // 2**20} MiB")
    return bytes(body)
