"""Workflows in tests: definitions from YAML, agents that are scripted, and an engine in this process."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml

from slipway_crds.workflows.model import Workflow
from slipway_runtime.store.database import Database
from slipway_runtime.workflows.dbos_queue import QueueSettings, SegmentQueue
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.engine import WorkflowEngine
from slipway_runtime.workflows.records import NewWorkflowRun, RunState, StepRow, WorkflowRun
from slipway_runtime.workflows.steps.calls import CapableAgent, StepCall
from slipway_runtime.workflows.steps.failures import TryFailed
from tests.support.waiting import until_async

WORKFLOW = "demo/test"
Script = Callable[[StepCall], Awaitable[Any]]


def workflow(spec: str, *, name: str = "test") -> WorkflowDefinition:
    """A definition whose spec is YAML."""
    manifest = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "namespace": "demo"},
        "spec": yaml.safe_load(spec),
    }
    return WorkflowDefinition.of(Workflow.model_validate(manifest))


@dataclass
class ScriptedAgents:
    """Agents of a namespace, whose tools do what a test says.

    Args:
        tools: by `agent.tool`; any other gives its arguments back.
    """

    tools: dict[str, Script] = field(default_factory=dict)
    agents_there: Sequence[CapableAgent] = ()
    called: list[StepCall] = field(default_factory=list)
    at_once: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    async def agents(self, run: WorkflowRun) -> Sequence[CapableAgent]:
        return self.agents_there

    async def call(self, run: WorkflowRun, call: StepCall) -> Any:
        self.called.append(call)
        self.at_once[call.agent] += 1
        self.most[call.agent] = max(self.most[call.agent], self.at_once[call.agent])
        try:
            await asyncio.sleep(0)
            script = self.tools.get(f"{call.agent}.{call.tool}")
            return await script(call) if script else {"given": dict(call.arguments)}
        finally:
            self.at_once[call.agent] -= 1

    def keys(self, tool: str) -> list[str]:
        """The idempotency keys that a tool got, in order."""
        return [call.key for call in self.called if call.tool == tool]


def failing(reason: str, *, times: int, then: Any = None, final: bool = False, known: bool = True) -> Script:
    """A tool that fails so often, and then gives a value."""
    left = iter(range(times))

    async def tool(_: StepCall) -> Any:
        if next(left, None) is not None:
            raise TryFailed(reason, "as the test says", final=final, known=known)
        return then

    return tool


def giving(*outputs: Any) -> Script:
    """A tool that gives these one after the other, and then always the last."""
    left = list(outputs)

    async def tool(_: StepCall) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    return tool


@dataclass
class Engine:
    """An engine in this process, and what a test asks of it."""

    engine: WorkflowEngine
    agents: ScriptedAgents

    def define(self, *definitions: WorkflowDefinition) -> None:
        self.engine.definitions = {each.workflow: each for each in definitions}

    async def begin(self, spec: str = "", **given: Any) -> WorkflowRun:
        """Start a run of a workflow with this spec; of the one that there is, if none is given."""
        if spec:
            self.define(workflow(spec))
        return await self.engine.begin(NewWorkflowRun(WORKFLOW, "alice", given))

    async def reaches(self, run: WorkflowRun, *states: RunState) -> WorkflowRun:
        """Wait until the run is in one of these states."""
        found = run

        async def there() -> bool:
            nonlocal found
            found = await self.engine.store.read(run.id)
            return found.state in states

        await until_async(there, f"the run is {states}")
        return found

    async def ends(self, run: WorkflowRun) -> WorkflowRun:
        """Wait until the run has ended."""
        return await self.reaches(run, RunState.DONE, RunState.FAILED, RunState.CANCELLED)

    async def run(self, spec: str, **given: Any) -> WorkflowRun:
        """A run of a workflow with this spec, when it has ended."""
        return await self.ends(await self.begin(spec, **given))

    async def steps(self, run: WorkflowRun) -> Mapping[tuple[str, int], StepRow]:
        return await self.engine.store.steps(run.id)

    async def events(self, run: WorkflowRun) -> list[str]:
        """The types of the run's events."""
        return [event.type for event in await self.engine.store.events(run.id)]


@asynccontextmanager
async def serving_engine(
    database: Database, url: str, *, schema: str | None = None, segments: int = 32
) -> AsyncIterator[Engine]:
    """An engine for as long as the block lasts. A process has one at a time.

    Args:
        segments: runs that are worked on at a time, all but one of them of the same workflow at most.
    """
    agents = ScriptedAgents()
    settings = QueueSettings(
        url=url,
        executor="test",
        schema=schema,
        segments=segments,
        of_one_workflow=segments - 1,
        polling_seconds=0.05,
    )
    engine = WorkflowEngine(database, SegmentQueue(settings), agents, sole=True)
    async with engine.serving():
        yield Engine(engine, agents)
