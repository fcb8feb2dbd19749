"""Everything of a worker that begins runs by itself, or writes what happens in them, kept to what workflows say now."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from slipway_crds.kafka import topic_folder
from slipway_crds.workflows.triggers import PUBLISH_FOLDER, Trigger
from slipway_runtime.kafka.connection import KafkaConnection
from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.engine import WorkflowEngine
from slipway_runtime.workflows.publishing import Publisher
from slipway_runtime.workflows.triggers.listening import KafkaListener
from slipway_runtime.workflows.triggers.schedules import ScheduledRuns

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
Key = tuple[str, str, str]
"""A workflow, a trigger or the topic of its events, and what is said of it."""


class Triggers:
    """Of all workflows of an engine.

    Args:
        folder: where passwords and certificates of brokers are.
    """

    def __init__(self, engine: WorkflowEngine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._parts: dict[Key, KafkaListener | Publisher] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Begin runs for as long as the block lasts."""
        running = asyncio.create_task(self.run(), name="triggers")
        try:
            yield
        finally:
            await _stopped(running)

    async def run(self) -> None:
        """Follow the workflows until cancelled."""
        scheduling = asyncio.create_task(_kept_up(ScheduledRuns(self._engine, self._scheduled).run, "schedules"))
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await _stopped(scheduling, *self._tasks.values())

    async def look(self) -> None:
        """Begin what is new, and stop what is no more, or is said in another way now."""
        wanted = dict(self._wanted())
        gone = [key for key in self._tasks if key not in wanted]
        await _stopped(*(self._tasks.pop(key) for key in gone))
        for key in gone:
            del self._parts[key]
        for key, part in wanted.items():
            if key not in self._tasks:
                self._parts[key] = part
                self._tasks[key] = asyncio.create_task(_kept_up(part.run, " ".join(key[:2])))

    def problems(self) -> dict[str, str]:
        """Why topics are not read or written, by workflow."""
        found: dict[str, str] = {}
        for (workflow, name, _), part in self._parts.items():
            if part.problem:
                found[workflow] = f"{'publish' if name == PUBLISH_FOLDER else f'trigger {name}'}: {part.problem}"
        return found

    def _scheduled(self) -> Iterator[tuple[str, Trigger]]:
        for definition in list(self._engine.definitions.values()):
            yield from ((definition.workflow, each) for each in definition.spec.triggers if each.schedule)

    def _wanted(self) -> Iterator[tuple[Key, KafkaListener | Publisher]]:
        for definition in list(self._engine.definitions.values()):
            for trigger in definition.spec.triggers:
                if trigger.kafka is not None:
                    connection = KafkaConnection(trigger.kafka, self._of(definition, trigger.name))
                    listener = KafkaListener(definition.workflow, trigger, connection, self._engine)
                    yield (definition.workflow, trigger.name, trigger.model_dump_json()), listener
            if publish := definition.spec.publish:
                connection = KafkaConnection(publish.kafka, self._of(definition, PUBLISH_FOLDER))
                publisher = Publisher(definition.workflow, connection, self._engine.database)
                yield (definition.workflow, PUBLISH_FOLDER, publish.model_dump_json()), publisher

    def _of(self, definition: WorkflowDefinition, name: str) -> Path:
        return self._folder / topic_folder(definition.workflow, name)


async def _kept_up(run: Callable[[], Awaitable[None]], name: str) -> None:
    """Run something for ever; what nobody expected is logged, and it goes on."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("%s failed; it is begun again", name)
        await asyncio.sleep(LOOK_SECONDS)


async def _stopped(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
