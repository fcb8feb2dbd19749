"""What the store has and a topic of Kafka is to get, each at least once: the store is the outbox.

Whoever writes claims rows first, so that several processes do not write the same at once. If one dies, its claim runs
out and another one writes.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from slipway_runtime import retrying
from slipway_runtime.kafka.connection import KafkaConnection, KafkaNotReady, problem_of
from slipway_runtime.store.database import Database, StoreUnavailable

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
CLAIM_SECONDS = 60.0
"""Longer than it takes to write what is claimed at once."""


class KafkaOutbox(ABC):
    """Writes what was not written yet, until it is cancelled.

    Args:
        what: is written, for logs.
    """

    def __init__(self, what: str, connection: KafkaConnection, database: Database) -> None:
        self._what = what
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
                log.warning("%s are not written: %s", self._what, self.problem)
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

    @abstractmethod
    async def look(self, producer: AIOKafkaProducer) -> int:
        """Write what has not been written. Returns of how many runs; those of a claim that ran out come again.

        Raises:
            KafkaError, StoreUnavailable: it is tried again.
        """
