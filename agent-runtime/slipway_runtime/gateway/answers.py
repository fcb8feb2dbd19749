"""What the gateway believes of a pod's answer: nothing that a host would not send, and no more than fits.

A tenant decides which pods carry an agent's labels, and so what answers the gateway. An answer that no host sends
counts as one that broke off: the next pod is asked.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

import aiohttp
import orjson

from slipway_runtime.problems import MEDIA_TYPE as PROBLEM
from slipway_runtime.problems import Problem, Reason, reason_of
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.responses import InvalidAnswer, PodResponse

JSON = "application/json"
HELD_BYTES = 64 * 1024
"""What is held of an answer that is not a stream. A longer one is passed on as it comes, and cannot be asked again."""
ANSWER_BYTES = 32 * 1024 * 1024
"""The longest answer that is not a stream: a session of a thousand questions."""
PROBLEM_BYTES = 16 * 1024
ANSWER_SECONDS = 10.0
"""How long the body may take once the headers are there: a host writes it in one piece."""
RETRY_AFTER_MAX = 3600


def media_type(response: aiohttp.ClientResponse, *, stream: bool, success: Collection[int] = (200,)) -> str:
    """The media type of an answer that a host may have sent; empty where there is no body.

    Args:
        stream: whether an event stream was asked for.
        success: what it may say with a body that was asked for.

    Raises:
        InvalidAnswer: for a redirect, an odd status, a body that is encoded or of another type.
    """
    if 300 <= response.status < 400:
        raise InvalidAnswer("a redirect, which is not followed")
    if response.status == 204:
        return ""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise InvalidAnswer("a compressed body, which was not asked for")
    allowed = {EVENT_STREAM} if stream else {JSON}
    if response.status not in success:
        allowed = {PROBLEM} if response.status >= 400 else set()
    if response.content_type not in allowed:
        raise InvalidAnswer(f"status {response.status} with a body of a type that no host sends")
    return response.content_type


def passed_on(
    response: aiohttp.ClientResponse, *, stream: bool, success: Collection[int] = (200,)
) -> Mapping[str, str]:
    """The headers of a pod's answer that a client gets, written anew. Raises InvalidAnswer, see `media_type`."""
    headers = {"content-type": kind} if (kind := media_type(response, stream=stream, success=success)) else {}
    wait = response.headers.get("Retry-After", "")
    if wait.isascii() and wait.isdigit() and len(wait) < 6 and int(wait) <= RETRY_AFTER_MAX:
        headers["retry-after"] = wait
    return headers


async def pieces(response: PodResponse, *, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. Only the time in which the pod is waited for counts.

    Raises:
        InvalidAnswer: above `limit` bytes, or when the body takes too long.
    """
    loop = asyncio.get_running_loop()
    left, size = ANSWER_SECONDS, 0
    while True:
        began = loop.time()
        try:
            async with asyncio.timeout(left):
                piece = await response.some()
        except TimeoutError:
            raise InvalidAnswer(f"a body that was not complete after {ANSWER_SECONDS:g} s") from None
        left -= loop.time() - began
        if not piece:
            return
        size += len(piece)
        if size > limit:
            raise InvalidAnswer(f"a body of more than {limit} bytes")
        yield piece


def problem(body: bytes, headers: Mapping[str, str]) -> Problem:
    """What a host says in a problem document.

    Args:
        headers: those that `passed_on` lets through.
    """
    try:
        document = orjson.loads(body)
        reason, detail = str(document["reason"]), str(document["detail"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        reason, detail = Reason.INTERNAL_ERROR, "a pod refused the request without a reason that can be read"
    wait = headers.get("retry-after")
    return Problem(reason_of(reason), detail, retry_after=int(wait) if wait else None)


async def whole(response: PodResponse, *, limit: int = PROBLEM_BYTES) -> bytes:
    """The body at once. Raises InvalidAnswer, see `pieces`."""
    return b"".join([piece async for piece in pieces(response, limit=limit)])
