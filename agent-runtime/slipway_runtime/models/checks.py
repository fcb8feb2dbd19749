"""Whether models can be asked at all: a free request to each provider that has one.

OpenAI, OpenAI-compatible servers, Anthropic and Google describe a model for nothing. Bedrock does so only at another
address with rights of its own, so what its last request got is reported instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slipway_runtime.addresses import ForbiddenAddress, check_url
from slipway_runtime.models.attempts import Link
from slipway_runtime.models.connection import KeyProblem
from slipway_runtime.models.failures import NO_CREDENTIALS

CHECK_SECONDS = 5.0
REFUSED = "the provider refused the API key: write a valid key into the Secret that apiKeyRef names"


async def problem_of(link: Link, base_url: str) -> str | None:
    """What is wrong with one model, as a sentence that says what to do; None if it can be asked as far as known."""
    config = link.config
    name = f"model {config.name} ({link.label})"
    try:
        link.key()
        await check_url(base_url)
        async with asyncio.timeout(min(CHECK_SECONDS, config.timeout_seconds)):
            found = await DESCRIBE[config.provider](link)
    except (KeyProblem, ForbiddenAddress) as error:
        return f"{name}: {error}"
    except Exception as error:  # noqa: BLE001 (each SDK has its own)
        return _sentence(name, base_url, config.model, error)
    return None if found else f"{name}: {_unknown(config.model, base_url)}"


def _unknown(model: str, base_url: str) -> str:
    return f"there is no model {model} at {base_url}: check model and baseURL, and that the key may use it"


def _sentence(name: str, base_url: str, model: str, error: Exception) -> str | None:
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    if status in (401, 403) or (status == 400 and "api key" in str(error).lower()):
        return f"{name}: {REFUSED}"
    if status == 404:
        return f"{name}: {_unknown(model, base_url)}"
    if isinstance(status, int):
        return None  # busy or failing, which passes
    return (
        f"{name}: {base_url} cannot be reached ({type(error).__name__}): check baseURL, tls.caBundleRef, and that "
        "egress to it is allowed"
    )


async def _openai(link: Link) -> bool:
    client: Any = link.model.client  # type: ignore[attr-defined]
    try:
        await client.models.retrieve(link.config.model)
    except Exception as error:
        if getattr(error, "status_code", None) != 404 or link.config.provider == "openai":
            raise
        return await _listed(client, link.config.model)
    return True


async def _listed(client: Any, model: str) -> bool:
    """Whether a server that describes no single model lists it, or lists nothing at all."""
    try:
        listed = [each.id for each in (await client.models.list()).data]
    except Exception as error:
        if getattr(error, "status_code", None) == 404:
            return True  # the server has no list: only a request can tell
        raise
    return model in listed or not listed


async def _anthropic(link: Link) -> bool:
    await link.model.client.models.retrieve(link.config.model)  # type: ignore[attr-defined]
    return True


async def _google(link: Link) -> bool:
    await link.model.client.aio.models.get(model=link.config.model)  # type: ignore[attr-defined]
    return True


async def _bedrock(link: Link) -> bool:
    if link.last.outcome == "refused_key":
        raise KeyProblem(REFUSED)
    if link.last.outcome == "no_credentials":
        raise KeyProblem(f"there is no key: {NO_CREDENTIALS}")
    return link.last.outcome != "unknown_model"


DESCRIBE: Mapping[str, Callable[[Link], Awaitable[bool]]] = {
    "openai": _openai,
    "openai-compatible": _openai,
    "anthropic": _anthropic,
    "google": _google,
    "bedrock": _bedrock,
}
