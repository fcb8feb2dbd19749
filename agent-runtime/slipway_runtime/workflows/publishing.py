"""Events of runs, written to a topic of Kafka: each at least once, those of a run in their order.

The store is the outbox: a run's row says up to which event it was written. Whoever writes claims the run first, so that
several workers do not write the same at once; if one dies, its claim runs out and another one writes.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from slipway_runtime.kafka.connection import MESSAGE_BYTES, KafkaConnection
from slipway_runtime.kafka.outbox import CLAIM_SECONDS, KafkaOutbox
from slipway_runtime.store.database import Database
from slipway_runtime.workflows.records import RunEvent

RUNS_AT_ONCE = 50
EVENTS_AT_ONCE = 200


@dataclass(frozen=True)
class UnpublishedRun:
    """A run with events that were not written yet."""

    id: str
    published: int


class Publisher(KafkaOutbox):
    """Writes the events of one workflow's runs.

    Args:
        workflow: `namespace/name`.
    """

    def __init__(self, workflow: str, connection: KafkaConnection, database: Database) -> None:
        super().__init__(f"events of {workflow}", connection, database)
        self._workflow = workflow

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
