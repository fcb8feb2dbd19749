"""A host looks at its agents' models in the background, and is not ready while none of them can be used."""

import asyncio

import pytest

from slipway_crds.runtimeconfig import ModelConfig
from slipway_runtime.host import model_watch, readiness
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.readiness import HostReadiness
from slipway_runtime.store.database import Database
from tests.support.scripts import AGENT, Scripted, at_once, hosted
from tests.support.waiting import until_async

NO_KEY = "model gpt: there is no key: put one into Secret keys under OPENAI_API_KEY"
NO_SEARCH = "the web search (brave): the API key is missing: create the Secret that apiKeyRef names, with its key"
NO_MODEL = "model own: the server has no model qwen: it has llama"


class WithModels(Scripted):
    """An agent whose models have problems."""

    def __init__(self) -> None:
        super().__init__(at_once)
        self.problems: list[str] | Exception = []
        self.services: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def model_problems(self) -> list[str]:
        await self.answers.wait()
        if isinstance(self.problems, Exception):
            raise self.problems
        return self.problems

    async def service_problems(self) -> list[str]:
        return self.services

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def always_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(model_watch, "LOOK_SECONDS", 0.0)


def watched(database: Database) -> tuple[WithModels, HostReadiness]:
    models = tuple(ModelConfig(name=name, provider="openai", model="m") for name in ("gpt", "own"))
    agent = WithModels()
    served = HostedAgent(hosted(None).config.model_copy(update={"models": models}), agent)
    return agent, HostReadiness(database, agents=lambda: {AGENT: served}, draining=lambda: False)


async def becomes(ready: HostReadiness, *, missing: list[str], warnings: list[str]) -> None:
    async def is_so() -> bool:
        return (await ready.missing(), ready.warnings()) == (missing, warnings)

    await until_async(is_so, f"missing {missing}, warnings {warnings}")


async def test_an_agent_whose_models_all_fail_is_not_ready(database: Database) -> None:
    agent, ready = watched(database)
    agent.problems = [NO_KEY, NO_MODEL]
    await becomes(ready, missing=[NO_KEY, NO_MODEL], warnings=[NO_KEY, NO_MODEL])
    assert not await ready.can_answer(AGENT)
    agent.problems = [NO_MODEL]
    await becomes(ready, missing=[], warnings=[NO_MODEL])
    assert await ready.can_answer(AGENT)
    agent.problems = []
    await becomes(ready, missing=[], warnings=[])


async def test_a_service_without_its_key_is_a_warning_that_keeps_nobody_from_being_ready(database: Database) -> None:
    agent, ready = watched(database)
    agent.services = [NO_SEARCH]
    await becomes(ready, missing=[], warnings=[NO_SEARCH])
    agent.problems = [NO_KEY, NO_MODEL]
    together = [NO_KEY, NO_MODEL, NO_SEARCH]  # the operator looks for the warnings among what is missing
    await becomes(ready, missing=together, warnings=together)


async def test_before_the_first_look_an_agent_is_not_ready_and_no_probe_waits(database: Database) -> None:
    agent, ready = watched(database)
    agent.answers.clear()
    (sentence,) = await ready.missing()
    assert "a first look at the models" in sentence
    agent.answers.set()
    await becomes(ready, missing=[], warnings=[])
    agent.answers.clear()
    agent.problems = [NO_KEY, NO_MODEL]
    assert await ready.missing() == [], "the look before counts until the next has ended"


async def test_a_look_that_fails_keeps_nobody_from_being_ready(database: Database) -> None:
    agent, ready = watched(database)
    agent.problems = ValueError("a library's own")
    await becomes(ready, missing=[], warnings=[])


async def test_a_look_that_hangs_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_watch, "LONGEST_LOOK_SECONDS", 0.01)
    agent, ready = watched(database)
    agent.answers.clear()
    await becomes(ready, missing=[], warnings=[])
