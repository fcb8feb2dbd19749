"""A pydantic-ai model for each entry of `spec.models`. An SDK is imported when the first model of its provider is made.

SDKs never try again by themselves (`max_retries=0`): the chain goes on with the next model instead, at once.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from slipway_crds.runtimeconfig import ModelConfig
from slipway_runtime.addresses import ForbiddenAddress, check_url_blocking
from slipway_runtime.models.connection import CONNECT_SECONDS, CONNECTIONS, PLACEHOLDER, http_client

BASE_URLS: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "google": "https://generativelanguage.googleapis.com",
}
"""Where a provider is when the manifest names no `baseURL`. Given to SDKs so that no environment variable moves it."""
CACHES_PROMPTS = frozenset(["openai", "anthropic", "bedrock"])
"""Providers whose prompt caches are asked for. Google and older models of OpenAI cache by themselves."""


@dataclass(frozen=True)
class Connection:
    """How a model is reached."""

    config: ModelConfig
    key: Callable[[], str | None]
    """The API key of the moment; None for none. It may raise KeyProblem."""
    ca_file: Path | None = None

    @property
    def base_url(self) -> str:
        return self.config.base_url or BASE_URLS.get(self.config.provider) or f"https://{_bedrock_host(region(None))}"

    @cached_property
    def http(self) -> httpx2.AsyncClient:
        """The client that the SDK is given. Bedrock's SDK has its own."""
        return http_client(
            header="x-goog-api-key" if self.config.provider == "google" else "authorization",
            key=self.key,
            seconds=self.config.timeout_seconds,
            ca_file=self.ca_file,
        )

    async def close(self) -> None:
        """Close the connections of a model that was made."""
        if "http" in vars(self):
            await self.http.aclose()


def make_model(connection: Connection) -> Model:
    """The model of an entry. Nothing is connected yet."""
    return MAKERS[connection.config.provider](connection)


def _settings(config: ModelConfig) -> ModelSettings:
    settings: ModelSettings = {}
    if config.settings.temperature is not None:
        settings["temperature"] = config.settings.temperature
    if config.settings.max_tokens is not None:
        settings["max_tokens"] = config.settings.max_tokens
    if config.settings.top_p is not None:
        settings["top_p"] = config.settings.top_p
    if config.provider in CACHES_PROMPTS:
        settings["cache"] = True
    return settings


def openai_client(connection: Connection) -> Any:
    """OpenAI's client over the connection: it takes no other key, and tries nothing again."""
    from openai import AsyncOpenAI

    http = connection.http
    client = AsyncOpenAI(
        base_url=connection.base_url, api_key=PLACEHOLDER, max_retries=0, timeout=http.timeout, http_client=http
    )
    client.organization = client.project = None  # the environment's, which belong to another key
    return client


def _openai(connection: Connection) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(openai_client=openai_client(connection))
    return OpenAIChatModel(connection.config.model, provider=provider, settings=_settings(connection.config))


def _compatible(connection: Connection) -> Model:
    """A server that speaks OpenAI's chat completions: its model's family says what it can, as with vLLM."""
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.vllm import VLLMProvider

    class CompatibleProvider(VLLMProvider):
        @property
        def name(self) -> str:
            return "openai-compatible"

    provider = CompatibleProvider(openai_client=openai_client(connection))
    return OpenAIChatModel(
        connection.config.model,
        provider=provider,
        profile=OpenAIModelProfile(openai_chat_supports_max_completion_tokens=False),
        settings=_settings(connection.config),
    )


def _anthropic(connection: Connection) -> Model:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    http = connection.http
    client = AsyncAnthropic(
        base_url=connection.base_url, api_key=PLACEHOLDER, max_retries=0, timeout=http.timeout, http_client=http
    )
    provider = AnthropicProvider(anthropic_client=client)
    return AnthropicModel(connection.config.model, provider=provider, settings=_settings(connection.config))


def _google(connection: Connection) -> Model:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    provider = GoogleProvider(api_key=PLACEHOLDER, base_url=connection.base_url, http_client=connection.http)
    return GoogleModel(connection.config.model, provider=provider, settings=_settings(connection.config))


def region(base_url: str | None) -> str:
    """The region of AWS: what a `baseURL` names, else what the environment says, else us-east-1."""
    found = re.search(r"//bedrock[a-z-]*\.([a-z0-9-]+)\.amazonaws\.com", base_url or "")
    if found:
        return found[1]
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def _bedrock_host(name: str) -> str:
    return f"bedrock-runtime.{name}.amazonaws.com"


def bedrock_client(connection: Connection, service: str = "bedrock-runtime", base_url: str | None = None) -> Any:
    """A client of AWS, with the API key of Bedrock, or without one with the pod's own identity (web identity).

    Credentials of the node are never asked for.
    """
    import botocore.session
    from botocore.config import Config
    from botocore.tokens import FrozenAuthToken

    class Session(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
        def get_auth_token(self, **_: Any) -> Any:
            return self  # asked for `get_frozen_token` at each request

        def get_frozen_token(self) -> FrozenAuthToken:
            return FrozenAuthToken(connection.key() or "")

    def choose_signer(**_: Any) -> str:
        return "v4" if connection.key() is None else "bearer"

    seconds = connection.config.timeout_seconds
    session = Session()
    session.get_component("credential_provider").remove("iam-role")
    config = Config(
        read_timeout=seconds,
        connect_timeout=min(CONNECT_SECONDS, seconds),
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        proxies={},
    )
    client = session.create_client(
        service,
        region_name=region(connection.config.base_url),
        endpoint_url=base_url,
        config=config,
        verify=str(connection.ca_file) if connection.ca_file else None,
    )
    client.meta.events.register("before-send", _guard_aws)
    client.meta.events.register("choose-signer", choose_signer)
    return client


def _guard_aws(request: Any, **_: Any) -> None:
    """Before each request of AWS's SDK, which connects by itself: its host is looked at, as `GuardedBackend` does."""
    from botocore.exceptions import EndpointConnectionError

    try:
        check_url_blocking(request.url)
    except ForbiddenAddress as error:
        raise EndpointConnectionError(endpoint_url=request.url, error=error) from error


def _bedrock(connection: Connection) -> Model:
    from pydantic_ai.models.bedrock import BedrockConverseModel
    from pydantic_ai.providers.bedrock import BedrockProvider

    client = bedrock_client(connection, base_url=connection.config.base_url)
    provider = BedrockProvider(bedrock_client=client)
    return BedrockConverseModel(connection.config.model, provider=provider, settings=_settings(connection.config))


MAKERS: Mapping[str, Callable[[Connection], Model]] = {
    "openai": _openai,
    "openai-compatible": _compatible,
    "anthropic": _anthropic,
    "google": _google,
    "bedrock": _bedrock,
}
