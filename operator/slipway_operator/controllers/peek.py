"""Asking pods directly, over HTTP: how far an ingestion is, and what a host is missing.

Best effort. A pod that does not answer only means that the status says less.
"""

import aiohttp

from slipway_operator.builders.policies import HTTP_PORT

TIMEOUT = aiohttp.ClientTimeout(total=1.0)
MESSAGE_MAX = 500


async def progress_of(http: aiohttp.ClientSession, ip: str) -> str:
    """What a running ingestion says, such as `120/400 chunks`; empty if it says nothing."""
    return str((await _get(http, ip, "/progress")).get("text", ""))


async def not_ready_because(http: aiohttp.ClientSession, ip: str) -> str:
    """What `/readyz` of a host names as missing; empty if it says nothing."""
    answer = await _get(http, ip, "/readyz")
    said = answer.get("detail") or answer.get("missing") or ""
    text = "; ".join(str(each) for each in said) if isinstance(said, list) else str(said)
    return text[:MESSAGE_MAX]


async def _get(http: aiohttp.ClientSession, ip: str, path: str) -> dict[str, object]:
    host = f"[{ip}]" if ":" in ip else ip
    try:
        async with http.get(f"http://{host}:{HTTP_PORT}{path}", timeout=TIMEOUT) as response:
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
