"""Runs that messages of Kafka begin.

A message's offset is committed once its run is kept, or once the message is put aside. So each begins a run at least
once, and since it names its run, exactly one. One that can begin none (a poison message) is recorded, written to the
dead-letter topic where there is one, and then skipped: it holds up nothing behind it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from slipway_crds.workflows.triggers import Trigger
from slipway_runtime import retrying
from slipway_runtime.kafka.connection import KafkaConnection, KafkaNotReady, problem_of
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.workflows.engine import InvalidInput, UnknownWorkflow, WorkflowEngine
from slipway_runtime.workflows.triggers.messages import KafkaMessage, Poison, run_of

log = logging.getLogger(__name__)
SHOWN_BYTES = 4096
"""Of a message that is put aside, as it is recorded."""


class KafkaListener:
    """Listens to the topic of one trigger.

    Args:
        workflow: `namespace/name`.
    """

    def __init__(self, workflow: str, trigger: Trigger, connection: KafkaConnection, engine: WorkflowEngine) -> None:
        self._workflow = workflow
        self._trigger = trigger
        self._connection = connection
        self._engine = engine
        self.problem = "not connected yet"
        """Why it does not listen; empty while it does."""

    @property
    def group(self) -> str:
        """The consumer group."""
        assert self._trigger.kafka is not None
        return self._trigger.kafka.group or f"slipway.{self._workflow.replace('/', '.')}.{self._trigger.name}"

    async def run(self) -> None:
        """Listen until cancelled. What fails is tried again."""
        failures = 0
        while True:
            try:
                await self._listen()
            except (KafkaError, KafkaNotReady, OSError) as error:
                failures = failures + 1 if self.problem else 1
                self.problem = problem_of(error)
                log.warning("trigger %s of %s cannot listen: %s", self._trigger.name, self._workflow, self.problem)
                await asyncio.sleep(retrying.delay(retrying.KAFKA, failures))

    async def _listen(self) -> None:
        async with AsyncExitStack() as stack:
            consumer = self._connection.consumer(self.group)
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            self.problem = ""
            producer: AIOKafkaProducer | None = None
            async for record in consumer:
                message = _message(record)
                try:
                    await _kept(partial(self._begin, message))
                except Poison as poison:
                    if self._dead_letters and producer is None:
                        producer = self._connection.producer()
                        stack.push_async_callback(producer.stop)
                        await producer.start()
                    await self._put_aside(message, poison, producer)
                await _commit(consumer, record)

    @property
    def _dead_letters(self) -> str | None:
        assert self._trigger.kafka is not None
        return self._trigger.kafka.dead_letter_topic

    async def _begin(self, message: KafkaMessage) -> None:
        try:
            await self._engine.begin(run_of(self._workflow, self._trigger, message))
        except InvalidInput as error:
            raise Poison("InvalidInput", str(error)) from None

    async def _put_aside(self, message: KafkaMessage, poison: Poison, producer: AIOKafkaProducer | None) -> None:
        """Raises KafkaError: the message is read again then."""
        if producer is not None:
            about = {"reason": poison.reason, "message": str(poison)[:500], "from": message.place}
            headers = [*message.headers, *((f"slipway-{name}", text.encode()) for name, text in about.items())]
            await producer.send_and_wait(self._dead_letters, message.value, key=message.key, headers=headers)
        await _kept(partial(self._record, message, poison))
        told = {"workflow": self._workflow, "trigger": self._trigger.name, "place": message.place}
        log.warning("a message began no run: %s, %s", poison.reason, poison, extra=told)

    async def _record(self, message: KafkaMessage, poison: Poison) -> None:
        await self._engine.database.execute(
            "INSERT INTO workflow_poison (workflow, name, place, reason, message, value, at) "
            "VALUES ($1, $2, $3, $4, $5, $6, now_epoch()) ON CONFLICT (workflow, name, place) DO NOTHING",
            self._workflow,
            self._trigger.name,
            message.place,
            poison.reason,
            str(poison)[:1000],
            (message.value or b"")[:SHOWN_BYTES].decode(errors="replace").replace("\0", ""),
        )


async def _kept(step: Callable[[], Awaitable[None]]) -> None:
    """Do a step until the store takes it: the messages behind it wait."""
    await retrying.retry(step, policy=retrying.KAFKA, on=_passes)


def _passes(error: BaseException) -> bool:
    """Whether it may be gone at the next try. A workflow that is unknown is about to be listened for no more."""
    return isinstance(error, StoreUnavailable | UnknownWorkflow)


def _message(record: ConsumerRecord) -> KafkaMessage:
    return KafkaMessage(
        record.topic, record.partition, record.offset, record.key, record.value, tuple(record.headers or ())
    )


async def _commit(consumer: AIOKafkaConsumer, record: ConsumerRecord) -> None:
    await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
