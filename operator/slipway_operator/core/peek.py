"""Asking pods directly, over HTTP: how far an ingestion is, and what a host is missing.

Best effort. A pod that does not answer only means that the status says less. A tenant decides what answers at a pod's
address, so an answer is read up to a limit, no redirect is followed, and of its text only the known fields are taken.
"""

import aiohttp
import orjson

from slipway_crds.contract import (
    ANSWER_WARNINGS,
    HTTP_PORT,
    MISSING,
    PLUGIN_WARNINGS,
    PROGRESS,
    PROGRESS_TEXT,
    READYZ,
    WARNINGS,
)
from slipway_operator.core.readiness import ReportedReadiness
from slipway_operator.core.reading import read_at_most

TIMEOUT = aiohttp.ClientTimeout(total=1.0)
ANSWER_BYTES = 16 * 1024
PROGRESS_MAX = 100
SENTENCE_MAX = 400
MESSAGE_MAX = 3500
"""A sentence about each model that an agent may have."""


async def progress_of(http: aiohttp.ClientSession, ip: str) -> str:
    """What a running ingestion says, such as `3/12 documents, 240 chunks`; empty if it says nothing."""
    text = (await _get(http, ip, PROGRESS)).get(PROGRESS_TEXT)
    return _plain(text)[:PROGRESS_MAX]


async def readiness_of(http: aiohttp.ClientSession, ip: str) -> ReportedReadiness:
    """What a host says of itself."""
    answer = await _get(http, ip, READYZ)
    return ReportedReadiness(
        missing=_sentences(answer.get(MISSING)),
        warnings=_sentences(answer.get(WARNINGS)),
        plugins=_sentences(answer.get(PLUGIN_WARNINGS)),
        answers=_sentences(answer.get(ANSWER_WARNINGS)),
    )


def _sentences(given: object) -> str:
    sentences = [_cut(_plain(each), SENTENCE_MAX) for each in given] if isinstance(given, list) else []
    return _cut("; ".join(filter(None, sentences)), MESSAGE_MAX)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _plain(text: object) -> str:
    """A text without line breaks and control characters; empty if it is none."""
    return "".join(each if each.isprintable() else " " for each in text).strip() if isinstance(text, str) else ""


async def _get(http: aiohttp.ClientSession, ip: str, path: str) -> dict[str, object]:
    return await json_at(http, f"http://{f'[{ip}]' if ':' in ip else ip}:{HTTP_PORT}{path}")


async def json_at(http: aiohttp.ClientSession, url: str) -> dict[str, object]:
    """A JSON object at an address; an empty one if there is none within a second."""
    try:
        async with http.get(url, timeout=TIMEOUT, allow_redirects=False, auto_decompress=False) as response:
            # A host answers 503 while it is not ready.
            known = response.status in (200, 503) and response.content_type == "application/json"
            answer = orjson.loads(await read_at_most(response, ANSWER_BYTES)) if known else None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
