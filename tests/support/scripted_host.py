"""A real host with an agent that needs no documents: it says as many words as it is asked for.

In the test's own process (`host_app`), or as a process of its own that can be killed: `python -m
tests.support.scripted_host OPTIONS-AS-JSON`.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.protocol import Agent
from slipway_runtime.events import Citation, Delta, Done, ModelUsage, RetrievalUsage, Retrieved, Usage
from slipway_runtime.host.app import create_host_app
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentityVerifier
from slipway_runtime.protocols.ask import ImagePart
from slipway_runtime.protocols.client_calls import call_id
from slipway_runtime.run import Emit, Run
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database

SEED = bytes(range(32))
"""Seed of the identity key that the test's gateway signs with."""
ROOT = Path(__file__).parents[2]
CITED = Citation(index="handbook", source="docs", document="tea.md", heading="", start=0, end=3, quote="Tea", score=0.9)
"""What an agent quotes that is asked to `cite`."""


def words(count: int) -> list[str]:
    """What the agent says when it is asked for so many words."""
    return [f"word{number} " for number in range(count)]


class Wordy:
    """Says `N words` in N pieces; three if the question names no number.

    Asked to `die` it kills its process, to `fail` it raises what it was asked, to `echo` it repeats it, to give the
    `context` it says what came along, to `cite` it names a source. Told to `ask me` it asks for an approval first, and
    says nothing if that is denied.
    """

    honours = frozenset(("data", "history", "settings", "metadata"))

    async def run(self, run: Run) -> Done:
        request = run.request
        if "die" in request.question:
            os.kill(os.getpid(), signal.SIGKILL)
        if "fail" in request.question:
            raise ValueError(request.question)
        if "ask me" in request.question and not (await run.ask("go", "approval", prompt="Go on?")).approved:
            return Done(answer="", finish="stop", sources=())
        found = re.search("([0-9]+) words", request.question)
        pieces = words(int(found[1]) if found else 3)
        if "echo" in request.question:
            pieces.append(request.question)
        if "context" in request.question:
            pieces.append(json.dumps(request.context))
        if "settings" in request.question:
            pieces.append(json.dumps({"settings": request.settings, "task": request.task}))
        if "history" in request.question:
            pieces.append(json.dumps([[message.role, message.text] for message in request.history]))

        async def say(emit: Emit) -> None:
            emit(Retrieved(chunks=1, best_score=0.9))
            for piece in pieces:
                emit(Delta(text=piece))
            emit(Usage(retrieval=RetrievalUsage(chunks=1, embedded_texts=1)))

        await run.step("answer", say)
        sources = (CITED,) if "cite" in request.question else ()
        return Done(answer="".join(pieces), finish="stop", sources=sources)

    async def missing(self) -> list[str]:
        return []


class Able(Wordy):
    """Takes all that a model does. It calls the first of the client's tools and says what that gave.

    With a schema it gives `{"x": 1}`, and of pictures it says how many there are. Results that come with the messages
    alone are said too.
    """

    honours = Wordy.honours | {"image", "client_tools", "tool_choice", "output_schema", "continuation"}

    async def run(self, run: Run) -> Done:
        request = run.request
        said = [message.text for message in request.continuation if message.role == "tool"]
        if request.client_tools and not said:

            async def think(emit: Emit) -> None:
                emit(Delta(text="Let me see. "))

            await run.step("think", think)
            call = {"id": call_id(run.id, 0), "name": request.client_tools[0].name, "args": {"city": "Oslo"}}
            answer = await run.ask("tools", "client_tools", calls=[call], seconds=300)
            said = list((answer.answer or {}).get("results", {}).values())
        pictures = sum(isinstance(part, ImagePart) for part in request.parts)
        if not (said or pictures or request.output_schema):
            return await super().run(run)
        text = " ".join([*said, *([f"{pictures} pictures"] if pictures else [])])
        used = ModelUsage(model="test:able", requests=1, input_tokens=7, output_tokens=3)

        async def say(emit: Emit) -> None:
            if text:
                emit(Delta(text=text))
            emit(Usage(models=(used,)))

        await run.step("answer", say)
        return Done(answer=text, finish="stop", output={"x": 1} if request.output_schema else None, sources=())


@dataclass(frozen=True)
class Options:
    """What a scripted host is started with."""

    dsn: str
    public_key: str
    port: int = 0
    name: str = "host"
    agents: tuple[str, ...] = ("demo/support",)
    in_flight: int = 200
    delta_delay: float = 0.0
    request_timeout: int = 60


def config(agent: str, options: Options) -> AgentConfig:
    """An agent's configuration, with limits out of the tests' way."""
    namespace, _, name = agent.partition("/")
    return AgentConfig(
        namespace=namespace,
        name=name,
        architecture="langgraph",
        knowledge=(),
        session_ttl_seconds=3600,
        session_max_turns=50,
        in_flight=options.in_flight,
        request_timeout_seconds=options.request_timeout,
    )


def make_host(database: Database, options: Options) -> Host:
    """The host with its scripted agents; run it with `host.running()`, or serve it by `create_host_app`."""
    host = Host(
        database,
        verifier=IdentityVerifier([options.public_key]),
        host_id=options.name,
        delta_delay=options.delta_delay,
    )
    host.serve([HostedAgent(config(agent, options), _agent(agent)) for agent in options.agents])
    return host


def _agent(name: str) -> Agent:
    if name.endswith("tck"):
        from tests.support.tck_agent import TckAgent  # with the SDK of A2A, which takes a while

        return TckAgent()
    return Able() if name.endswith("able") else Wordy()


@asynccontextmanager
async def host_app(options: Options) -> AsyncIterator[tuple[Host, Starlette]]:
    """A host and its application, in this process."""
    database = await open_database(options.dsn)
    try:
        host = make_host(database, options)
        yield host, create_host_app(host)
    finally:
        await database.close()


async def serve(options: Options) -> None:
    """Serve until the process is told to stop."""
    async with host_app(options) as (_, app):
        await uvicorn.Server(uvicorn.Config(app, port=options.port, log_level="warning")).serve()


def spawn(options: Options) -> subprocess.Popen[bytes]:
    """The same as a process of its own; wait for `/livez` on its port."""
    command = [sys.executable, "-m", "tests.support.scripted_host", json.dumps(asdict(options))]
    return subprocess.Popen(command, cwd=ROOT)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(serve(Options(**{**given, "agents": tuple(given["agents"])})))
