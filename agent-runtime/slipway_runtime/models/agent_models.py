"""The models of one agent."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic_ai.messages import ModelResponse

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig, ModelBinding, ModelConfig, Price, Role
from slipway_runtime.events import ModelUsage
from slipway_runtime.models.attempts import ENTRY, Link, usage_event
from slipway_runtime.models.breaker import Breakers, CircuitBreaker
from slipway_runtime.models.chain import ModelChain
from slipway_runtime.models.checks import problem_of
from slipway_runtime.models.connection import ApiKeyFile
from slipway_runtime.models.providers import Connection, make_model

CHECK_EVERY_SECONDS = 30.0
_BREAKERS: dict[tuple[str, str, str], CircuitBreaker] = {}
"""Of this process, by provider, address and model."""


def breaker_of(provider: str, base_url: str, model: str) -> CircuitBreaker:
    """The breaker that all agents of the process share for a provider at an address, or for one model there."""
    key = provider, base_url, model
    if key not in _BREAKERS:
        _BREAKERS[key] = CircuitBreaker(provider, base_url, model)
    return _BREAKERS[key]


class Models:
    """Made once per process and agent.

    Args:
        config: with at least one entry in `models`.
        bindings: what the agent is bound to now: paths of keys, prices. Called at each request.
    """

    def __init__(
        self,
        config: AgentConfig,
        bindings: Callable[[], AgentBindings] = AgentBindings,
        *,
        breaker: Callable[[str, str, str], CircuitBreaker] = breaker_of,
    ) -> None:
        self._agent = f"{config.namespace}/{config.name}"
        self._bindings = bindings
        self._keys: dict[str, ApiKeyFile] = {}
        self._connections = {each.name: self._connection(each) for each in config.models}
        self._links = {
            name: Link(
                config=connection.config,
                model=make_model(connection),
                breaker=_breakers(connection, breaker),
                key=connection.key,
                price=partial(self._price, name),
                content=lambda: bindings().telemetry_content,
            )
            for name, connection in self._connections.items()
        }
        self._chains: dict[Role | None, ModelChain] = {}
        self._checking = asyncio.Lock()
        self._checked: tuple[float, list[str]] | None = None

    def for_role(self, role: Role | None = None) -> ModelChain:
        """The models of a role in fallback order, as one model.

        An entry without roles has every role. All entries if none has this one, or without a role.
        """
        if role not in self._chains:
            links = [each for each in self._links.values() if not each.config.roles or role in each.config.roles]
            chosen = links if role is not None and links else list(self._links.values())
            self._chains[role] = ModelChain(chosen, agent=self._agent, role=role or "")
        return self._chains[role]

    def smallest_context(self) -> int | None:
        """The tokens that every one of the models takes, as far as their contexts are known; None if none is."""
        known = (link.config.context_tokens or link.model.context_window for link in self._links.values())
        return min(filter(None, known), default=None)

    def answered_by(self, response: ModelResponse) -> ModelConfig:
        """The entry of `spec.models` that gave a response. Raises KeyError for a response of something else."""
        return self._links[(response.metadata or {})[ENTRY]].config

    def usage_of(self, response: ModelResponse) -> ModelUsage:
        """What a response used, with its cost; failed attempts before it aside, of which the watcher learns."""
        return usage_event(self._links[(response.metadata or {})[ENTRY]], response.usage)

    async def problems(self) -> list[str]:
        """Why models cannot be asked: a missing or refused key, a model or an address that is not there.

        One sentence each, with what to do. Looked up again when the last look is 30 s old. An agent with a problem may
        still answer by another model, so this belongs in its status, and not in its readiness.
        """
        async with self._checking:
            now = time.monotonic()
            if self._checked is None or now - self._checked[0] >= CHECK_EVERY_SECONDS:
                checks = (problem_of(link, self._connections[name].base_url) for name, link in self._links.items())
                found = await asyncio.gather(*checks)
                self._checked = now, [each for each in found if each is not None]
            return self._checked[1]

    async def close(self) -> None:
        """Close all connections to providers."""
        for name, connection in self._connections.items():
            await connection.close()
            if connection.config.provider == "bedrock":
                self._links[name].model.client.close()  # type: ignore[attr-defined]

    def _binding(self, name: str) -> ModelBinding:
        return self._bindings().models.get(name, ModelBinding())

    def _price(self, name: str) -> Price | None:
        return self._binding(name).price

    def _key(self, name: str) -> str | None:
        """The API key of the moment, from the file that the bindings name now."""
        path = self._binding(name).api_key_file
        if path is None:
            return None
        if name not in self._keys or self._keys[name].path != Path(path):
            self._keys[name] = ApiKeyFile(Path(path))
        return self._keys[name].key()

    def _connection(self, config: ModelConfig) -> Connection:
        binding = self._binding(config.name)
        return Connection(
            config=config,
            key=partial(self._key, config.name),
            ca_file=Path(binding.ca_file) if binding.ca_file else None,
        )


def _breakers(connection: Connection, breaker: Callable[[str, str, str], CircuitBreaker]) -> Breakers:
    provider, base_url = connection.config.provider, connection.base_url
    return Breakers(breaker(provider, base_url, ""), breaker(provider, base_url, connection.config.model))
