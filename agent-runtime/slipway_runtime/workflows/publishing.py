"""Events of runs, written to a topic of Kafka: each at least once, those of a run in their order.

The store is the outbox: a run's row says up to which event it was written. Whoever writes claims the run first, so that
several workers do not write the same at once; if one dies, its claim runs out and another one writes.
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from slipway_runtime import retrying
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.workflows.kafka import MESSAGE_BYTES, KafkaConnection, KafkaNotReady, problem_of
from slipway_runtime.workflows.records import RunEvent

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
CLAIM_SECONDS = 60.0
"""Longer than it takes to write the events of the runs that are claimed at once."""
RUNS_AT_ONCE = 50
EVENTS_AT_ONCE = 200


@dataclass(frozen=True)
class UnpublishedRun:
    """A run with events that were not written yet."""

    id: str
    published: int


class Publisher:
    """Writes the events of one workflow's runs.

    Args:
        workflow: `namespace/name`.
    """

    def __init__(self, workflow: str, connection: KafkaConnection, database: Database) -> None:
        self._workflow = workflow
        self._connection = connection
        self._database = database
        self.problem = "not connected yet"
        """Why nothing is written; empty while there is no reason."""

    async def run(self) -> None:
        """Write until cancelled. What fails is tried again."""
        failures = 0
        while True:
            try:
                await self._write()
            except (KafkaError, KafkaNotReady, OSError, StoreUnavailable) as error:
                failures = failures + 1 if self.problem else 1
                self.problem = problem_of(error)
                log.warning("events of %s are not written: %s", self._workflow, self.problem)
                await asyncio.sleep(retrying.delay(retrying.KAFKA, failures))

    async def _write(self) -> None:
        async with AsyncExitStack() as stack:
            producer = self._connection.producer()
            stack.push_async_callback(producer.stop)
            await producer.start()
            self.problem = ""
            while True:
                if not await self.look(producer):
                    await asyncio.sleep(LOOK_SECONDS)

    async def look(self, producer: AIOKafkaProducer) -> int:
        """Write what has not been written. Returns of how many runs; those of a claim that ran out come again."""
        claimed = await self._claimed()
        try:
            await asyncio.gather(*(self._publish(producer, each) for each in claimed))
        except KafkaError:
            await self._database.execute_many(
                "UPDATE workflow_runs SET publishing_until = 0 WHERE id = $1", [(each.id,) for each in claimed]
            )
            raise
        return len(claimed)

    async def _claimed(self) -> list[UnpublishedRun]:
        rows = await self._database.fetch(
            "UPDATE workflow_runs SET publishing_until = now_epoch() + $2 WHERE id IN (SELECT id FROM workflow_runs "
            "WHERE workflow = $1 AND last_event > published AND publishing_until < now_epoch() "
            "ORDER BY created LIMIT $3) AND publishing_until < now_epoch() RETURNING id, published",
            self._workflow,
            CLAIM_SECONDS,
            RUNS_AT_ONCE,
        )
        return [UnpublishedRun(str(row["id"]), cast(int, row["published"])) for row in rows]

    async def _publish(self, producer: AIOKafkaProducer, run: UnpublishedRun) -> None:
        rows = await self._database.fetch(
            "SELECT seq, at, type, data FROM workflow_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            run.id,
            run.published,
            EVENTS_AT_ONCE,
        )
        events = [
            RunEvent(cast(int, row["seq"]), cast(float, row["at"]), str(row["type"]), orjson.loads(str(row["data"])))
            for row in rows
        ]
        topic, key = self._connection.topic.topic, run.id.encode()
        sent = [await producer.send(topic, self._message(run.id, event), key=key) for event in events]
        await asyncio.gather(*sent)
        await self._database.execute(
            "UPDATE workflow_runs SET published = $2, publishing_until = 0 WHERE id = $1 AND published <= $2",
            run.id,
            events[-1].seq if events else run.published,
        )

    def _message(self, run: str, event: RunEvent) -> bytes:
        """An event whose data is too large for a message is written without them: the run has them."""
        about = {"run_id": run, "workflow": self._workflow, "seq": event.seq}
        whole = orjson.dumps(about | event.to_json(run))
        if len(whole) <= MESSAGE_BYTES:
            return whole
        return orjson.dumps(about | {"type": event.type, "at": event.at, "truncated": True})
