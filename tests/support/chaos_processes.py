"""Hosts and a gateway as processes of their own that are killed and started again many times.

They are forks of one process that has imported everything, so that a start takes a moment. A host has one tool more
than its agents say: `act`, which must not run twice, and keeps a diary of its calls.
"""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.waiting import until_async

FORKS = multiprocessing.get_context("forkserver")
IMPORTED = (
    "slipway_runtime.agents.choosing",
    "slipway_runtime.agents.hybrid_agent",
    "slipway_runtime.agents.langgraph_agent",
    "slipway_runtime.agents.orchestrator",
    "slipway_runtime.gateway.main",
    "slipway_runtime.host.main",
    "slipway_runtime.knowledge.embedding.minilm",
    "slipway_runtime.knowledge.vectors.chroma_server",
    "slipway_runtime.models.providers",
    "slipway_runtime.store.postgres",
    "pydantic_ai.models.openai",
)
LEASE_SECONDS = 1.5
"""After which a dead host's runs are taken over."""
ACT_SECONDS = 0.05
START_SECONDS = 120.0
"""For a process that starts on a busy machine."""
DIARY = "SLIPWAY_TEST_DIARY"


class Killable:
    """A process at an address of its own.

    Args:
        main: what it does, in the environment that is given.
        url: where it listens.
    """

    def __init__(self, main: Callable[[], Any], *, url: str, environment: Mapping[str, str], log: Path) -> None:
        self.url = url
        self._given = (main, dict(environment), log)
        self._process = self._start()

    def _start(self) -> BaseProcess:
        FORKS.set_forkserver_preload(list(IMPORTED))
        process = FORKS.Process(target=_begin, args=self._given, daemon=True)
        process.start()
        return process

    def kill(self) -> None:
        """As a node that loses power would."""
        self._process.kill()
        self._process.join()

    def start_again(self) -> None:
        """At the same address, as a container that is restarted."""
        self._process = self._start()

    async def ready(self, client: aiohttp.ClientSession) -> None:
        """Wait until it may be asked."""

        async def answers() -> bool:
            assert self._process.is_alive(), self._given[2].read_text()[-2000:]
            try:
                async with client.get(self.url + "/readyz") as response:
                    return response.status == 200
            except aiohttp.ClientError:
                return False

        await until_async(answers, f"{self.url} is ready", deadline=START_SECONDS)


def _begin(main: Callable[[], Any], environment: Mapping[str, str], log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.environ.update(environment)
    main()


def serve_gateway() -> None:
    """`slipway gateway`."""
    from slipway_runtime.gateway.main import main

    main()


def serve_host() -> None:
    """`slipway host` with a short lease, and the tool `act` for agents that have tools."""
    from slipway_runtime.agents import agent_tools, server_tools
    from slipway_runtime.host import lease, lifecycle, runs
    from slipway_runtime.host.main import main

    for module in (runs, lease):
        setattr(module, "LEASE_SECONDS", LEASE_SECONDS)  # noqa: B010 (each has the name for itself)
    setattr(lifecycle, "BEAT_SECONDS", LEASE_SECONDS / 3)  # noqa: B010
    setattr(server_tools, "agent_toolset", _with_act(agent_tools.agent_toolset))  # noqa: B010
    main()


def _with_act(make: Callable[..., Any]) -> Callable[..., Any]:
    from slipway_runtime.models.durable import METADATA, current_unit

    async def act() -> str:
        """Do what must not be done twice."""
        unit = current_unit()
        assert unit is not None
        _note(f"{unit.run.id}/{unit.key}")
        await asyncio.sleep(ACT_SECONDS)
        return os.urandom(4).hex()

    def made(*args: Any, **more: Any) -> Any:
        toolset = make(*args, **more)
        toolset.add_function(act, metadata={METADATA: {"repeat": "never"}})
        return toolset

    return made


def _note(act: str) -> None:
    with Path(os.environ[DIARY]).open("a") as file:
        file.write(f"{act}\n")


def acts(diary: Path) -> list[str]:
    """The run and the step of each time that `act` was run."""
    return diary.read_text().splitlines() if diary.exists() else []
